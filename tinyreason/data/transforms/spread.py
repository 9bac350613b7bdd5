"""Keeps the correct solutions of problems that are solved now and then, by how much their scores vary.

Why: DeepDistill (arXiv 2504.17565): where every sample scores the same there is nothing to learn; the coefficient of
variation of a problem's scores grows as it is solved more rarely.
Formula: dropped where max s < pass mark; CV = stdev (n − 1) / mean of the scores s; CV > threshold: the correct rows
stay. In `spared` domains a problem below the threshold stays with probability `spare`. With `one_each` one correct row
of each problem, chosen at random, the highest CV first. The paper publishes no threshold: 0 is ours.
How it fails: CV is highest where one of many samples is correct, which may be luck.
Example: `data: {transforms: [{kind: spread}]}` on rows that are several samples a problem
"""

from statistics import mean, stdev
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.data.transforms._transform import Transform, TransformContext, by_problem, is_correct
from tinyreason.example import Example


class Spread(Transform):
    """Keeps correct completions of problems whose scores vary."""

    needs: ClassVar[frozenset[str]] = frozenset({"grader"})
    compares: ClassVar[bool] = True

    kind: Literal["spread"] = "spread"
    threshold: float = Field(0.0, ge=0)
    """The coefficient of variation above which a problem stays."""
    pass_mark: float = Field(0.99, ge=0, le=1)
    """The score from which on a sample has passed; a problem without such a sample goes."""
    one_each: bool = False
    """Whether one correct row a problem stays, the highest variation first, as in the paper's second stage."""
    spared: tuple[str, ...] = ("other", "multiturn")
    """Domains (`domain` of a row) whose problems may stay below the threshold too."""
    spare: float = Field(0.5, ge=0, le=1)
    """The probability with which they stay."""

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        found: list[tuple[float, list[Example]]] = []
        for problem, rows in by_problem(self.graded(examples, context)).items():
            scores = scores_of(rows)
            correct = [row for row in rows if is_correct(row)]
            if max(scores) < self.pass_mark or not correct:
                context.dropped["never solved"] += len(rows)
                continue
            value, rng = variation(scores), context.rng(self.kind, problem)
            is_spared = rows[0].meta.get("domain") in self.spared and rng.random() < self.spare
            if value <= self.threshold and not is_spared:
                context.dropped["scores that hardly vary"] += len(rows)
                continue
            context.dropped["not correct"] += len(rows) - len(correct)
            context.dropped["another one of the problem"] += len(correct) - 1 if self.one_each else 0
            found.append((value, [rng.choice(correct)] if self.one_each else correct))
        if self.one_each:
            found.sort(key=lambda pair: -pair[0])
        return [row for _, rows in found for row in rows]


def scores_of(rows: list[Example]) -> list[float]:
    """Returns the scores of a problem's samples: `scores` of its rows, else 1 for each that is correct."""
    known = next((row.meta["scores"] for row in rows if row.meta.get("scores")), None)
    return list(map(float, known)) if known else [float(is_correct(row)) for row in rows]


def variation(scores: list[float]) -> float:
    """Returns the coefficient of variation, 0 where nothing varies or all is 0."""
    return stdev(scores) / mean(scores) if len(scores) > 1 and mean(scores) else 0.0
