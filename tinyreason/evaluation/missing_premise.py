"""Does a model say that nobody can tell where a premise is missing, and what does it spend on that (arXiv 2504.06514)?

The published bench asks a language model who abstains; here the grader `abstain` does.
"""

import random
from collections.abc import Iterator
from statistics import fmean

from tinyreason.data.tasks.treecut import Treecut
from tinyreason.evaluation.score import Score
from tinyreason.example import Example
from tinyreason.grading.graders.abstain import abstains
from tinyreason.intervals import difference_interval, share_interval
from tinyreason.runs.result import Interval, Number, Stored

WHOLE, MISSING = "whole", "missing"
TASK = Treecut(items=6, depth=4)


class MissingPremise(Stored):
    """Figures over pairs of a problem and the same problem without a premise; shares 0–1."""

    pairs: int
    accuracy: Number
    """On the problems with all their premises."""
    accuracy_interval: Interval
    abstained: Number
    """Share of the completions that abstain where a premise is missing, which is correct."""
    abstained_interval: Interval
    abstained_whole: Number
    """Share of those that abstain where nothing is missing, which is not."""
    abstained_whole_interval: Interval
    length_ratio: Number
    """Mean tokens where a premise is missing, over those where none is."""
    length_ratio_interval: Interval


def premise_pairs() -> Iterator[Example]:
    """Yields price problems in pairs: with all premises, then without one that the answer rests on; all of the test."""
    rng, made = random.Random("missing_premise"), 0
    while True:
        pair = TASK.pair(rng)
        if {puzzle.split for puzzle in pair} != {"test"}:
            continue
        for name, puzzle in zip((WHOLE, MISSING), pair, strict=True):
            yield Example(
                id=f"premise/{made}/{name}",
                messages=({"role": "user", "content": f"{puzzle.text}\n{TASK.request}"},),
                answer=puzzle.answer,
                meta={"premise": name},
                grader=puzzle.grader,
            )
        made += 1


def missing_premise(score: Score) -> MissingPremise | None:
    """Returns the figures over the pairs of which both are there; None without any."""
    asked = dict(zip((example.id for example in score.examples), score.completions_P_S, strict=True))
    twins = [(id, f"{id.removesuffix(WHOLE)}{MISSING}") for id in asked if id.endswith(f"/{WHOLE}")]
    pairs = [(asked[whole], asked[missing]) for whole, missing in twins if missing in asked]
    if not pairs:
        return None
    accuracies = [fmean(one.correct is True for one in row) for row, _ in pairs]
    abstained, abstained_whole = (
        [fmean(abstains(one.extracted or "") for one in pair[side]) for pair in pairs] for side in (1, 0)
    )
    lengths = [tuple(fmean(one.tokens for one in row) for row in pair) for pair in pairs]
    usual = fmean(length for length, _ in lengths)
    ratio = fmean(length for _, length in lengths) / usual
    parts = [ratio + (length - ratio * before) / usual for before, length in lengths]
    return MissingPremise(
        pairs=len(pairs),
        accuracy=fmean(accuracies),
        accuracy_interval=share_interval(accuracies),
        abstained=fmean(abstained),
        abstained_interval=share_interval(abstained),
        abstained_whole=fmean(abstained_whole),
        abstained_whole_interval=share_interval(abstained_whole),
        length_ratio=ratio,
        length_ratio_interval=difference_interval(parts),
    )
