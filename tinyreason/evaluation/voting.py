"""Accuracy after a vote, beside one completion, with all tokens counted that either spends."""

from collections.abc import Sequence
from statistics import fmean

from tinyreason.algorithms.votes import VOTES
from tinyreason.evaluation.metrics import powers_of_two
from tinyreason.evaluation.score import Completion, Score
from tinyreason.intervals import consensus, paired_gain, share_interval
from tinyreason.runs.result import Gain, Interval, Number, Stored


class VotePoint(Stored):
    """What a vote of so many samples reaches, 0–1, and spends."""

    samples: int
    tokens: Number
    """Tokens for a problem, of all its samples."""
    accuracy: Number
    interval: Interval


class VoteGain(Stored):
    """What a vote of all samples gains over something else, paired by problem."""

    over: str
    """`one` completion, or the `majority` of the same completions, which spends the same tokens."""
    gain: Gain
    verdict: str


class VoteScore(Stored):
    """One vote on one bench."""

    points: list[VotePoint]
    """For 1, 2, 4, … samples; one is pass@1, whatever the vote."""
    gains: list[VoteGain]


def vote_scores(score: Score, votes: Sequence[str]) -> dict[str, VoteScore]:
    """Returns each vote's accuracy at 1, 2, 4, … samples, and its gain at all over one completion and the majority.

    A vote of n is the mean over the N / n groups of n samples in a row, so that no group shares a sample with another.
    """
    most = len(score.completions_P_S[0])
    majority = vote_shares(score, "majority", most)
    found = {}
    for vote in votes:
        points = [vote_point(score, vote, samples) for samples in powers_of_two(most)]
        shares = vote_shares(score, vote, most)
        others = {"one": score.accuracies_P} | ({"majority": majority} if vote != "majority" else {})
        gains = [VoteGain(over=over, **paired_gain(theirs, shares)) for over, theirs in others.items()]
        found[vote] = VoteScore(points=points, gains=gains)
    return found


def vote_point(score: Score, vote: str, samples: int) -> VotePoint:
    """Returns the accuracy of votes of so many samples, and the tokens that one of them spends on a problem."""
    shares = vote_shares(score, vote, samples)
    tokens = fmean(sum(one.tokens for one in group) for row in score.completions_P_S for group in groups(row, samples))
    return VotePoint(samples=samples, tokens=tokens, accuracy=fmean(shares), interval=share_interval(shares))


def vote_shares(score: Score, vote: str, samples: int) -> list[float]:
    """Returns each problem's share of votes of so many samples whose winner is correct; of a tie, the correct share."""
    rule = VOTES[vote]()

    def winner(group: Sequence[Completion]) -> float:
        return consensus([one.extracted for one in group], [one.correct for one in group], rule.weights(group))

    return [fmean(winner(group) for group in groups(row, samples)) for row in score.completions_P_S]


def groups(row: list[Completion], samples: int) -> list[list[Completion]]:
    """Returns groups of so many completions in a row; what is left over is in none."""
    return [row[at : at + samples] for at in range(0, len(row) - samples + 1, samples)]
