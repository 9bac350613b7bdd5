"""Accuracy after a vote against the tokens of all who voted, by hand."""

import pytest

from tinyreason.evaluation.score import Completion, Score
from tinyreason.evaluation.voting import vote_scores
from tinyreason.example import Example


def completion(answer, tokens=10, certainty=1.0):
    return Completion("x", tokens, False, answer == "2", answer, certainty)


def score_of(*rows):
    examples = [Example(str(n), ({"role": "user", "content": f"{n}?"},), "2") for n in range(len(rows))]
    return Score(examples, [list(row) for row in rows])


SCORE = score_of(
    [completion("2"), completion("2"), completion("3", 30), completion("2")],  # votes of 1: 3/4, of 2: 1, 1/2, of 4: 1
    [completion("3"), completion("4"), completion("4"), completion(None)],  # never
)


def test_the_curve_is_over_groups_of_samples_and_counts_all_their_tokens():
    points = vote_scores(SCORE, ["majority"])["majority"].points
    assert [point.samples for point in points] == [1, 2, 4]
    assert [point.accuracy for point in points] == [3 / 8, 3 / 8, 1 / 2]
    assert [point.tokens for point in points] == [12.5, 25, 50]
    assert all(low <= point.accuracy <= high for point in points for low, high in [point.interval])


def test_a_vote_of_one_is_pass_at_1():
    assert vote_scores(SCORE, ["complexity"])["complexity"].points[0].accuracy == SCORE.accuracy


def test_gains_are_over_one_completion_and_over_the_majority_of_the_same():
    sure = score_of([completion("2", certainty=5.0), completion("2", certainty=4.0), *[completion("3")] * 2])
    found = vote_scores(sure, ["majority", "self_certainty"])
    assert {gain.over: gain.gain.points for gain in found["majority"].gains} == {"one": 0.0}
    assert {gain.over: gain.gain.points for gain in found["self_certainty"].gains} == {"one": 50.0, "majority": 50.0}


def test_what_is_left_over_is_in_no_group():
    row = [completion("2"), completion("2"), completion("3")]
    points = vote_scores(score_of(row), ["majority"])["majority"].points
    assert [(point.samples, point.accuracy) for point in points] == [(1, pytest.approx(2 / 3)), (2, 1.0), (3, 1.0)]
