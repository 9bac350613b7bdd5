"""Votes by hand: the weights of each, and what they decide."""

from dataclasses import dataclass

import pytest

from tinyreason.algorithms.votes import VOTES
from tinyreason.algorithms.votes.complexity import most_steps
from tinyreason.intervals import consensus


@dataclass
class Said:
    text: str = ""
    extracted: str | None = "1"
    certainty: float | None = None


def weights(vote, *ballots):
    return VOTES[vote]().weights(ballots)


def test_self_certainty_weighs_by_the_root_of_the_rank():
    assert weights("self_certainty", *(Said(certainty=u) for u in (0.4, 0.3, 0.2, 0.1))) == pytest.approx(
        [2, 1.732, 1.414, 1], abs=1e-3
    )


def test_a_completion_without_an_answer_ranks_last_however_sure_it_is():
    found = weights("self_certainty", Said(extracted=None, certainty=9.0), Said(certainty=0.1), Said(certainty=0.2))
    assert found == pytest.approx([1, 2**0.5, 3**0.5])


def test_of_equal_certainty_the_earlier_ranks_first():
    assert weights("self_certainty", Said(certainty=1.0), Said(certainty=1.0)) == pytest.approx([2**0.5, 1])


def test_the_surest_win_against_as_many_others():
    sure = [Said(extracted="7", certainty=1.0), Said(extracted="9", certainty=0.1)]
    assert consensus(["7", "9"], [True, False], weights("self_certainty", *sure)) == 1.0
    assert consensus(["7", "9"], [True, False], weights("majority", *sure)) == 0.5


def test_the_completions_with_the_most_steps_decide():
    """Steps 3, 5, 5, 2 with answers 7, 9, 9, 7, of which two vote: 9."""
    assert most_steps([3, 5, 5, 2], 2) == [0, 1, 1, 0]
    answers = ["7", "9", "9", "7"]
    assert consensus(answers, [False, True, True, False], most_steps([3, 5, 5, 2], 2)) == 1.0
    assert consensus(answers, [False, True, True, False]) == 0.5


def test_steps_are_lines_that_are_not_empty_and_four_of_five_vote():
    said = [Said("a\n\n \nb"), Said("a\nb\nc"), Said("a"), Said("a\nb\nc\nd"), Said("a\n\n\n\nb")]
    assert weights("complexity", *said) == [1, 1, 0, 1, 1]
    assert weights("complexity", Said("a")) == [1]


@pytest.mark.parametrize("vote", VOTES)
def test_a_vote_of_one_is_its_answer(vote):
    assert weights(vote, Said("a", "1", 0.5)) == [1.0]
