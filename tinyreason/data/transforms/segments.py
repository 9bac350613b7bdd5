"""Weighs what is thought and what is said of a completion differently in the loss.

Why: Distilling the Essence (arXiv 2512.21002): most of what is learnt from a solution is in its reasoning, and in the
first half of that (`train.truncate_ratio`). Not checked against the paper: that segment weights are its own.
Formula: weight `think` up to and with `</think>`, `answer` behind it; the token that ends a completion keeps its 1.
How it fails: without weight on the answer nothing teaches the form that the grader reads.
Example: `data: {transforms: [{kind: segments, answer: 0}]}`
"""

from dataclasses import replace
from typing import Literal

from pydantic import Field

from tinyreason.data.transforms._transform import Transform, TransformContext
from tinyreason.example import Example
from tinyreason.grading.thought import CLOSE


class Segments(Transform):
    """Weighs the thought and the answer behind it."""

    kind: Literal["segments"] = "segments"
    think: float = Field(1.0, ge=0)
    """How much the thought counts, `</think>` included; 0 = not at all."""
    answer: float = Field(1.0, ge=0)
    """How much what stands behind it counts."""

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        ends = [(one.completion or "").rfind(CLOSE) for one in examples]
        thought = self.kept(examples, (end >= 0 for end in ends), "without </think>", context)
        return [self.weighed(one, one.completion.rfind(CLOSE) + len(CLOSE)) for one in thought]

    def weighed(self, example: Example, end: int) -> Example:
        """Returns the row with a span for each part that does not count 1."""
        parts = ((0, end, self.think), (end, len(example.completion), self.answer))
        return replace(example, spans=(*example.spans, *(part for part in parts if part[2] != 1)))
