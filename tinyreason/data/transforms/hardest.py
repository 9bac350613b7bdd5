"""Keeps the hardest problems that are solved at all.

Why: Light-R1 (arXiv 2503.10460) ends its fine-tuning on the 3,000 hardest problems of a filtered set.
Formula: problems by their pass rate, the lowest above 0 first; the rows of the first n stay, in that order.
How it fails: a pass rate of a few samples is mostly noise, and a problem with an incorrect answer looks hard.
Example: `data: {transforms: [{kind: pass_rate, rows: one}, {kind: hardest, n: 100}]}`
"""

from typing import Literal

from pydantic import Field

from tinyreason.data.transforms._transform import Transform, TransformContext, by_problem
from tinyreason.example import Example


class Hardest(Transform):
    """Keeps the n problems with the lowest pass rate above 0."""

    kind: Literal["hardest"] = "hardest"
    n: int = Field(ge=1)
    """How many problems are kept; all that are solved at all where there are no more."""

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        solved = self.kept(examples, (self.pass_rate_of(one) > 0 for one in examples), "never solved", context)
        groups = sorted(by_problem(solved).values(), key=lambda rows: self.pass_rate_of(rows[0]))
        left = [row for rows in groups[: self.n] for row in rows]
        context.dropped["easier"] += len(solved) - len(left)
        return left
