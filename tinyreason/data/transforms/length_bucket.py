"""Keeps rows whose completion is of a given length.

Why: Nemotron-Math trains on short solutions first and on longer ones in later stages, each in a context no longer than
it needs. Not checked against the paper: the edges.
Formula: low < tokens ≤ high.
How it fails: short solutions are of easy problems, so a first stage of them alone teaches to stop early.
Example: `data: {transforms: [{kind: length_bucket, high: 256}]}`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.data.transforms._transform import Transform, TransformContext, tokens_of
from tinyreason.example import Example


class LengthBucket(Transform):
    """Keeps rows of more than `low` and at most `high` tokens."""

    needs: ClassVar[frozenset[str]] = frozenset({"tokenizer"})

    kind: Literal["length_bucket"] = "length_bucket"
    low: int = Field(0, ge=0)
    """Tokens of the completion, of which there must be more."""
    high: int = Field(ge=1)
    """Tokens of the completion at the most."""

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        rows = self.completions(examples, context)
        rows = self.kept(
            rows, (tokens_of(one, context) > self.low for one in rows), f"of at most {self.low:,} tokens", context
        )
        return self.kept(
            rows, (tokens_of(one, context) <= self.high for one in rows), f"of more than {self.high:,} tokens", context
        )
