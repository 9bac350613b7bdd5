import random
from itertools import islice

import pytest

from tinyreason.grading.grader import Grader
from tinyreason.sandbox import oracle, tasks

PROBLEMS = [p for family in tasks.FAMILIES for p in islice(tasks.generate(family, "train", 0), 50)]


@pytest.mark.parametrize("trace", [oracle.worked, oracle.rambling])
def test_both_traces_are_graded_correct(trace):
    with Grader() as grader:
        verdicts = grader.grade([trace(problem) for problem in PROBLEMS], [str(p.answer) for p in PROBLEMS])
    assert all(verdict.correct for verdict in verdicts)


def test_rambling_is_at_least_twice_as_long_and_holds_every_step_of_the_short_trace():
    for problem in PROBLEMS:
        assert len(oracle.rambling(problem)) > 2 * len(oracle.worked(problem)) - 40
        assert all(str(step) in oracle.rambling(problem) for step in problem.steps)


def test_a_hasty_answer_has_no_step_and_is_seldom_correct():
    rng = random.Random(0)
    completions = [(oracle.hasty(p, rng), f"\\boxed{{{p.answer}}}") for p in PROBLEMS * 20]
    assert all("<think>" not in text for text, _ in completions)
    assert 0.01 < sum(text == correct for text, correct in completions) / len(completions) < 0.10


def test_a_critique_gives_the_true_verdict_and_names_the_first_incorrect_step():
    rng = random.Random(0)
    attempts = [oracle.attempt(problem, rng) for problem in PROBLEMS * 5]
    assert 0.2 < sum(attempt.is_correct for attempt in attempts) / len(attempts) < 0.8
    for attempt in attempts:
        critique = oracle.worked_critique(attempt)
        assert critique.endswith("Conclusion: right" if attempt.is_correct else "Conclusion: wrong")
        mistakes = [n for n, (step, written) in enumerate(attempt.steps, 1) if step.result != written]
        if mistakes and not attempt.is_correct:
            assert f"Step {mistakes[0]} is wrong." in critique
        else:
            assert "Step" not in critique
