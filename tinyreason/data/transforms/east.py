"""Weighs correct completions by how much the answers to their problem disagree.

Why: EAST (arXiv 2503.23913): imitating what a model answers surely teaches nothing; where its answers disagree it does.
Formula: of a problem that is neither always nor never solved, H = −Σ p log2 p over the clusters of equal answers of
its rows; a correct row weighs H^a / mean over the problems of H^a, those with H = 0 left out; incorrect rows go. Equal
is the same number, word or text, as for the reward `empo_cluster`; rows without an answer are one cluster.
Not checked against the paper: what becomes of rows without an answer; its code drops problems without a correct box.
How it fails: of few samples a problem the entropy is rough; many incorrect answers that differ are noise, not doubt.
Example: `data: {kind: rollouts, run: runs/NAME, transforms: [{kind: east}]}` with `train: {normalize: sequence}`
"""

from collections import Counter
from dataclasses import replace
from math import fsum, log2
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.data.transforms._transform import Transform, TransformContext, by_problem, is_correct
from tinyreason.example import Example
from tinyreason.grading.clusters import clusters_of


class East(Transform):
    """Keeps correct completions, weighed by the entropy of the answers to their problem."""

    needs: ClassVar[frozenset[str]] = frozenset({"grader"})
    compares: ClassVar[bool] = True

    kind: Literal["east"] = "east"
    power: float = Field(1.0, ge=0)
    """The power a of the entropy; 0 weighs all alike."""

    def check(self, run, path: str) -> None:
        self.check_weighs(run, path)

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        rows = self.graded(self.completions(examples, context), context)
        verdicts = context.grader.grade_examples([row.completion for row in rows], rows)
        answers = {id(row): verdict.extracted for row, verdict in zip(rows, verdicts, strict=True)}
        left: list[list[Example]] = []
        entropies: list[float] = []
        for same in by_problem(rows).values():
            correct = [row for row in same if is_correct(row)]
            entropy = entropy_of(Counter(clusters_of([answers[id(row)] for row in same])))
            if 0 < len(correct) < len(same) and entropy:
                left.append(correct)
                entropies.append(entropy)
                context.dropped["not correct"] += len(same) - len(correct)
            else:
                reason = "all correct" if correct == same else "all of one answer" if correct else "none correct"
                context.dropped[reason] += len(same)
        weights = relative(entropies, self.power)
        return [replace(row, weight=weight) for rows, weight in zip(left, weights, strict=True) for row in rows]


def entropy_of(clusters: Counter) -> float:
    """Returns the entropy in bits of how answers fall into clusters."""
    shares = [count / clusters.total() for count in clusters.values()]
    return -fsum(share * log2(share) for share in shares if share < 1)


def relative(entropies: list[float], power: float) -> list[float]:
    """Returns each entropy's power over their mean."""
    powers = [entropy**power for entropy in entropies]
    return [one * len(powers) / fsum(powers) for one in powers]
