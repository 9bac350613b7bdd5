"""Keeps n rows at random: what every other choice of n rows is compared with.

Why: a chosen part of a set is better only if it beats as many rows by chance.
Formula: n rows without replacement, by the run's seed, in the order of the data.
How it fails: one sample may be lucky; compare over several seeds.
Example: `data: {transforms: [{kind: sample, n: 600}]}`
"""

from typing import Literal

from pydantic import Field

from tinyreason.data.filters import sampled_places
from tinyreason.data.transforms._transform import Transform, TransformContext
from tinyreason.example import Example


class Sample(Transform):
    """Keeps n rows at random."""

    kind: Literal["sample"] = "sample"
    n: int = Field(ge=1)
    """How many rows are kept; all where there are no more."""

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        left = [examples[place] for place in sampled_places(len(examples), self.n, context.seed)]
        context.dropped["more than n"] += len(examples) - len(left)
        return left
