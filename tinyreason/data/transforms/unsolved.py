"""Keeps problems by how often they were solved; those never solved, where nothing else is said.

Why: MATH-Beyond (arXiv 2510.11653): a gain on problems that many samples never solved is a new skill, not the same one
made surer. A band such as 0.05 to 0.95 leaves out what has no gradient.
Formula: low ≤ pass rate ≤ high.
How it fails: among the never solved are those with an incorrect gold answer.
Example: `data: {transforms: [{kind: unsolved, low: 0.05, high: 0.95}]}`
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from tinyreason.data.transforms._transform import Transform, TransformContext
from tinyreason.example import Example


class Unsolved(Transform):
    """Keeps problems whose pass rate is within two values."""

    kind: Literal["unsolved"] = "unsolved"
    low: float = Field(0.0, ge=0, le=1)
    """The lowest pass rate that stays."""
    high: float = Field(0.0, ge=0, le=1)
    """The highest pass rate that stays."""

    @model_validator(mode="after")
    def _check_band(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low={self.low:g} is above high={self.high:g}, which leaves nothing; swap them")
        return self

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        stays = (self.low <= self.pass_rate_of(example) <= self.high for example in examples)
        return self.kept(examples, stays, f"solved less than {self.low:.0%} or more than {self.high:.0%}", context)
