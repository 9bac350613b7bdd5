"""Asks a second grader, which training never sees, for the same gain, and counts the signs of reward hacking."""

from collections.abc import Iterable, Sequence
from statistics import mean
from typing import Any

from tinyreason.evaluation.score import Score, paired_comparison
from tinyreason.grading.hacking_signs import sign_shares
from tinyreason.grading.strict import accepts
from tinyreason.intervals import Values, averaged, gain_over_seeds
from tinyreason.runs.result import GRADERS_DISAGREE, Gain, SecondOpinion


def believed_comparison(before: Sequence[Score], after: Sequence[Score]) -> dict[str, Any]:
    """Returns `gain`, `verdict` and `second_opinion` of an evaluation's two sides, a score a side and seed.

    The verdict is `GRADERS_DISAGREE` where the 95 % intervals of the two graders' gains do not meet.
    """
    found = paired_comparison(before, after)
    strict = [[strict_accuracies(score) for score in side] for side in (before, after)]
    second = SecondOpinion(
        accuracy=[mean(averaged(side).values()) for side in strict],
        **gain_over_seeds(*strict),
        signs=[signs_of_hacking(side) for side in (before, after)],
    )
    if not intervals_meet(Gain(**found["gain"]), second.gain):
        found["verdict"] = GRADERS_DISAGREE
    return found | {"second_opinion": second}


def strict_accuracies(score: Score) -> Values:
    """Returns each problem's share of completions that the strict grader accepts."""
    rows = zip(score.examples, score.completions_P_S, strict=True)
    return score.by_problem(
        [
            sum(accepts(one.text, asked.answer, one.truncated, asked.rule) for one in row) / len(row)
            for asked, row in rows
        ]
    )


def signs_of_hacking(scores: Iterable[Score]) -> dict[str, float]:
    """Returns each sign's share of the correct completions, 0–1; nothing where none is correct."""
    return sign_shares(
        (one.text, example.answer, one.truncated, example.problem, example.rule)
        for score in scores
        for example, row in zip(score.examples, score.completions_P_S, strict=True)
        for one in row
        if one.correct
    )


def intervals_meet(one: Gain, other: Gain) -> bool:
    """Returns whether two gains have a value in common that neither interval excludes."""
    return max(one.interval[0], other.interval[0]) <= min(one.interval[1], other.interval[1])
