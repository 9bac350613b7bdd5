import pytest

from tinyreason.evaluation.score import (
    Completion,
    Evaluator,
    Score,
    evaluate,
    paired_comparison,
    side_summary,
    token_change,
)
from tinyreason.example import Example
from tinyreason.grading.grader import Grader
from tinyreason.inference.sampling import Sampling
from tinyreason.runs.result import TokenChange


def example(number: int, problem: str = "1+1?", answer: str = "2") -> Example:
    return Example(str(number), ({"role": "user", "content": problem},), answer)


def score_of(accuracies: list[float], samples: int = 4, first: int = 0) -> Score:
    examples = [example(first + n) for n in range(len(accuracies))]
    completions = [[Completion("", 10, False, n < round(a * samples)) for n in range(samples)] for a in accuracies]
    return Score(examples, completions)


def test_accuracy_is_the_mean_over_problems_of_the_share_of_correct_completions():
    assert score_of([1.0, 0.5, 0.0]).accuracy == pytest.approx(0.5)


def test_a_completion_that_cannot_be_graded_is_not_correct():
    score = Score([example(0)], [[Completion("", 1, False, None), Completion("", 1, False, True)]])
    assert score.accuracy == 0.5


def test_more_samples_of_the_same_problems_do_not_narrow_the_interval():
    few, many = score_of([0.0, 1.0] * 20, samples=1), score_of([0.0, 1.0] * 20, samples=16)
    assert side_summary([few]).interval == side_summary([many]).interval


def test_a_paired_gain_is_found_where_two_separate_intervals_would_hide_it():
    before = score_of([0.0, 0.25, 0.5, 0.75] * 2)
    after = score_of([0.25, 0.5, 0.75, 1.0] * 2)
    found = paired_comparison([before], [after])
    assert found["gain"] == {"points": pytest.approx(25.0), "interval": [25.0, 25.0], "p_value": 2 / 2**8}
    assert found["verdict"] == "improved"
    assert side_summary([before]).interval[1] > side_summary([after]).interval[0]


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ([0.5] * 20, [0.5] * 20, "cannot tell"),
        ([0.0, 1.0] * 10, [1.0, 0.0] * 10, "cannot tell"),
        ([1.0] * 20, [0.25, 0.5] * 10, "worse"),
        ([0.25, 0.5] * 10, [1.0] * 20, "improved"),
        ([0.0] * 20, [0.0] * 19 + [1.0], "cannot tell"),
    ],
)
def test_it_says_improved_or_worse_only_when_the_interval_excludes_0(before, after, verdict):
    assert paired_comparison([score_of(before)], [score_of(after)])["verdict"] == verdict


def test_the_change_of_tokens_is_of_the_sums_with_a_paired_interval():
    def score(tokens):
        return Score([example(n) for n in range(len(tokens))], [[Completion("", t, False, True)] * 2 for t in tokens])

    assert token_change([score([100, 50])], [score([50, 25])]) == TokenChange(change=-0.5, interval=[-0.5, -0.5])
    found = token_change([score([100] * 10)], [score([50, 70] * 5)])
    assert found.change == pytest.approx(-0.4)
    assert -0.5 <= found.interval[0] < -0.4 < found.interval[1] <= -0.3
    assert token_change([score([100])], [score([150])]) == TokenChange(change=0.5, interval=[0.5, 0.5])


def test_different_problems_cannot_be_compared():
    with pytest.raises(ValueError, match="same problems"):
        paired_comparison([score_of([1.0])], [score_of([1.0], first=7)])


SAMPLING = Sampling(samples=3, temperature=1.0, max_completion_tokens=20, batch_size=4, prompt="plain", seed=0)


def test_evaluate_tells_of_every_completion_and_groups_them_by_problem(sandbox):
    model, tokenizer = sandbox
    told = []
    with Grader() as grader:
        score = evaluate(model, tokenizer, [example(0), example(1)], SAMPLING, grader, told.append)
    assert sum(told) == 6
    assert [len(row) for row in score.completions_P_S] == [3, 3]
    assert {"accuracy", "interval", "mean_tokens", "problems", "samples"} <= side_summary([score]).as_json().keys()


def test_after_an_overflow_the_next_evaluation_and_validation_begin_with_the_batch_that_fitted(sandbox, hold_rows):
    from tinyreason.config.recipe import read_recipe
    from tinyreason.console import Console
    from tinyreason.inference import engines
    from tinyreason.models.load import compute_settings_for
    from tinyreason.runs.context import RunContext

    model, tokenizer = sandbox
    asked = hold_rows(engines, 2)
    short = ("evaluation.batch_size=8", "evaluation.max_completion_tokens=4", "evaluation.samples=2")
    config = read_recipe("one_shot_rlvr").resolve("sandbox", short)
    context = RunContext(Console(quiet=True), compute_settings_for(config.model, config.kernels, None))
    with Grader() as grader:
        evaluator, examples = Evaluator(config, context, tokenizer, grader), [example(n) for n in range(4)]
        first = evaluator.evaluate(model, examples, "measuring")
        assert asked[:3] == [8, 4, 2]
        asked.clear()
        assert evaluator.evaluate(model, examples, "measuring") == first
        evaluator.sample(model, examples, 1, lambda _: None)
    assert max(asked) == 2
