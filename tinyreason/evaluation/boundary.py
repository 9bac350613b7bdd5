"""Does training widen what a model can solve at all, or only make it surer of what its base solves now and then?"""

from collections import Counter
from collections.abc import Sequence
from math import log2
from statistics import fmean

from tinyreason.evaluation.metrics import pass_shares, powers_of_two
from tinyreason.evaluation.score import Completion, Score
from tinyreason.intervals import difference_interval, paired_gain, pass_at_k, share_interval, unchanged_interval
from tinyreason.runs.result import Gain, Interval, Number, Stored

Numbers = frozenset[int]
"""Which of a problem's samples are correct."""


class CountedShare(Stored):
    """So many of some problems, 0–1."""

    count: int
    problems: int
    share: Number | None
    """None of no problems."""
    interval: Interval | None


class Expansion(Stored):
    """Problems that one side never solves with all its samples and the other does.

    That a side never solves a problem is luck in part. So the same is asked of half the samples: of the problems that
    the base does not solve with one half, the model solves the share `solved` with the other half, and the base itself
    the share `expected`; both are means over all ways to split. `beyond` is the difference.
    """

    gained: CountedShare
    """Of the problems that the base never solves, those that the model does."""
    lost: CountedShare
    """Of the problems that the model never solves, those that the base does."""
    half: int
    """So many samples are half of all."""
    solved: Number | None
    expected: Number | None
    beyond: Number | None
    interval: Interval | None
    """Of `beyond`, by problem; None where the base solves every problem with any half."""


class PassGain(Stored):
    """The gain in pass@k, in percentage points, paired by problem."""

    k: int
    gain: Gain
    is_certain: bool
    """Whether there are at least 2 k samples; with fewer pass@k rests on few of them."""


class Support(Stored):
    """Of all problems, those that are solved at least once: by both sides, the model alone, the base alone, neither."""

    kept: CountedShare
    gained: CountedShare
    lost: CountedShare
    neither: CountedShare


class AnswerEntropy(Stored):
    """How many answers a side gives to a problem: the mean entropy over its answers, in bits."""

    base: Number
    model: Number
    change: Number
    interval: Interval
    """Of the change, paired by problem."""


class Boundary(Stored):
    """How far the model reaches beyond its base, with several samples a problem."""

    samples: int
    expansion: Expansion
    gains: list[PassGain]
    """For k = 1, 2, 4, … up to the number of samples."""
    crossing: int | None
    """The smallest k at which the base's pass@k is at least the model's; None where it is always smaller."""
    support: Support
    answer_entropy: AnswerEntropy


def boundary(base: Score, model: Score) -> Boundary:
    """Returns how far a model reaches beyond its base; both were asked the same problems as often, at least twice."""
    samples = len(base.completions_P_S[0])
    return Boundary(
        samples=samples,
        expansion=expansion(solved_samples(base), solved_samples(model), samples),
        gains=pass_gains(base, model, samples),
        crossing=crossing(base, model, samples),
        support=support(solved_samples(base), solved_samples(model)),
        answer_entropy=entropy_change(base, model),
    )


def solved_samples(score: Score) -> list[Numbers]:
    """Returns the numbers of the correct samples to each problem."""
    return [frozenset(n for n, one in enumerate(row) if one.correct is True) for row in score.completions_P_S]


def counted(marks: Sequence[bool]) -> CountedShare:
    """Returns how many of the problems are marked."""
    values = [float(mark) for mark in marks]
    share, interval = (fmean(values), share_interval(values)) if values else (None, None)
    return CountedShare(count=sum(marks), problems=len(marks), share=share, interval=interval)


def expansion(base: Sequence[Numbers], model: Sequence[Numbers], samples: int) -> Expansion:
    """Returns what one side solves of what the other never does, of the numbers of each problem's correct samples.

    Both sides are asked with the same luck, so the model's samples are those of the half that the base is asked again
    with: a model that is its base is beyond it by 0.
    """
    half = samples // 2
    unsolved = [1 - pass_at_k(samples, len(numbers), half) for numbers in base]
    by_model = [solves_the_rest(*numbers, samples, samples - half) for numbers in zip(base, model, strict=True)]
    by_base = [float(bool(numbers)) for numbers in base]  # no correct one in a half: all are in the rest
    found: dict = {"solved": None, "expected": None, "beyond": None, "interval": None}
    if (mean := fmean(unsolved)) > 0:
        solved, expected = (
            fmean(weight * share for weight, share in zip(unsolved, shares, strict=True)) / mean
            for shares in (by_model, by_base)
        )
        beyond = solved - expected
        parts = [w * (m - b - beyond) / mean + beyond for w, m, b in zip(unsolved, by_model, by_base, strict=True)]
        alike = unchanged_interval(max(1, round(sum(unsolved))))
        interval = difference_interval(parts) if by_model != by_base else [end / 100 for end in alike]
        found = {"solved": solved, "expected": expected, "beyond": beyond, "interval": interval}
    pairs = list(zip(base, model, strict=True))
    gained, lost = counted([bool(m) for b, m in pairs if not b]), counted([bool(b) for b, m in pairs if not m])
    return Expansion(gained=gained, lost=lost, half=half, **found)


def solves_the_rest(base: Numbers, model: Numbers, samples: int, rest: int) -> float:
    """Returns how often the model solves a rest of the samples, over all that hold each correct one of the base."""
    if base & model:
        return 1.0
    free = rest - len(base)
    return pass_at_k(samples - len(base), len(model), free) if free > 0 else 0.0


def pass_gains(base: Score, model: Score, samples: int) -> list[PassGain]:
    """Returns the paired gain in pass@k for k = 1, 2, 4, …."""
    return [
        PassGain(
            k=k,
            gain=Gain(**paired_gain(pass_shares(base, k), pass_shares(model, k))["gain"]),
            is_certain=2 * k <= samples,
        )
        for k in powers_of_two(samples)
    ]


def crossing(base: Score, model: Score, samples: int) -> int | None:
    """Returns the smallest k at which the base's pass@k is at least the model's; None where there is none."""
    rounding = 1e-12
    return next(
        (k for k in range(1, samples + 1) if fmean(pass_shares(base, k)) >= fmean(pass_shares(model, k)) - rounding),
        None,
    )


def support(base: Sequence[Numbers], model: Sequence[Numbers]) -> Support:
    """Returns which problems either side ever solves, of the numbers of each problem's correct samples."""
    pairs = [(bool(b), bool(m)) for b, m in zip(base, model, strict=True)]
    cells = {"kept": (True, True), "gained": (False, True), "lost": (True, False), "neither": (False, False)}
    return Support(**{name: counted([pair == cell for pair in pairs]) for name, cell in cells.items()})


def entropy_change(base: Score, model: Score) -> AnswerEntropy:
    """Returns how the mean entropy over a problem's answers changes, paired by problem."""
    sides = [[answer_entropy(row) for row in score.completions_P_S] for score in (base, model)]
    changes = [after - before for before, after in zip(*sides, strict=True)]
    return AnswerEntropy(
        base=fmean(sides[0]), model=fmean(sides[1]), change=fmean(changes), interval=difference_interval(changes)
    )


def answer_entropy(row: Sequence[Completion]) -> float:
    """Returns the entropy in bits over the answers to a problem.

    All correct answers are one, incorrect ones are one if they read the same, and to give none is an answer too.
    """
    answers = Counter(one.correct is True or "".join((one.extracted or "").split()) for one in row)
    return -sum(count / len(row) * log2(count / len(row)) for count in answers.values())
