"""Takes the same number of solutions of every problem, as far as it has them, where not all can be kept.

Why: of a set in which easy problems have many solutions, a random part is mostly of easy problems (OpenMathInstruct-1,
arXiv 2402.10176).
Formula: problems in order of first appearance; k = 0, 1, …: the k-th solution of each that has one, until there are n.
How it fails: a problem that was hard enough to be solved once brings its only solution, by luck or not.
Example: `data: {transforms: [{kind: fair, n: 600}]}`
"""

from itertools import chain, islice, zip_longest
from typing import Literal

from pydantic import Field

from tinyreason.data.transforms._transform import Transform, TransformContext, by_problem
from tinyreason.example import Example


class Fair(Transform):
    """Keeps n rows, as many of one problem as of another."""

    kind: Literal["fair"] = "fair"
    n: int = Field(ge=1)
    """How many rows are kept; all where there are no more."""
    shuffle: bool = True
    """Whether the rows of a problem are shuffled first, by the run's seed; else the first of each come first."""

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        groups = by_problem(examples)
        if self.shuffle:
            for problem, rows in groups.items():
                context.rng(self.kind, problem).shuffle(rows)
        in_turn = (row for row in chain.from_iterable(zip_longest(*groups.values())) if row is not None)
        left = list(islice(in_turn, self.n))
        context.dropped["more than n"] += len(examples) - len(left)
        return left
