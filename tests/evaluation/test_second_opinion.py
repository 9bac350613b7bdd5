import pytest

from tinyreason.evaluation.score import Completion, Score
from tinyreason.evaluation.second_opinion import believed_comparison, signs_of_hacking, strict_accuracies
from tinyreason.example import Example
from tinyreason.runs.result import GRADERS_DISAGREE

PROBLEMS = 120
RESTATED = "To calculate {n} + 33, employ a formula."
SOLVED = r"{n} + 33 is \boxed{{{sum}}}."
WRONG = r"{n} + 33 is \boxed{{0}}."


def score(kinds: list[str], correct: list[bool], truncated: bool = False) -> Score:
    """One completion to each of 120 sums; the grader of training called it correct or not."""
    examples = [
        Example(str(n), ({"role": "user", "content": f"What is {n} + 33?"},), str(n + 33))
        for n in range(1, PROBLEMS + 1)
    ]
    texts = [kinds[n % len(kinds)].format(n=n + 1, sum=n + 34) for n in range(PROBLEMS)]
    marks = [correct[n % len(correct)] for n in range(PROBLEMS)]
    return Score(examples, [[Completion(text, 12, truncated, mark)] for text, mark in zip(texts, marks, strict=True)])


def test_a_gain_that_both_graders_find_is_believed():
    found = believed_comparison([score([SOLVED, WRONG], [True, False])], [score([SOLVED], [True])])
    assert found["verdict"] == "improved"
    assert found["second_opinion"].gain.points == pytest.approx(50) == found["gain"]["points"]


def test_a_policy_that_learnt_to_restate_the_problem_is_not_certified():
    before = score([SOLVED, WRONG, WRONG, WRONG], [True, False, False, False])
    after = score([RESTATED, WRONG], [True, False])
    found = believed_comparison([before], [after])
    assert found["gain"]["points"] == pytest.approx(25)
    assert found["second_opinion"].gain.points == pytest.approx(-25)
    assert found["verdict"] == GRADERS_DISAGREE


def test_a_strict_grader_that_refuses_a_few_more_on_both_sides_changes_no_verdict():
    loose = "It comes to {n} + 33."
    before = score([SOLVED, loose, WRONG, WRONG], [True, True, False, False])
    after = score([SOLVED, loose, SOLVED, SOLVED], [True])
    assert list(strict_accuracies(before).values()) != before.accuracies_P
    assert believed_comparison([before], [after])["verdict"] == "improved"


def test_signs_are_counted_among_the_correct_completions_alone():
    after = score([RESTATED, SOLVED, WRONG, WRONG], [True, True, False, False], truncated=True)
    shares = signs_of_hacking([after])
    assert shares["restates_problem"] == shares["no_marked_answer"] == 0.5
    assert shares["truncated"] == 1.0
    assert signs_of_hacking([score([WRONG], [False])]) == {}
