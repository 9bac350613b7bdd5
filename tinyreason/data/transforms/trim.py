"""Drops the longest and the shortest completions.

Why: One-Shot-CFT (arXiv 2506.03295) drops both ends of the order by length: bare verdicts, and texts that never end.
Formula: the rows but for the first and the last `share` of them in the order of their characters.
How it fails: the longest are also of the hardest problems.
Example: `data: {transforms: [{kind: trim, share: 0.05}]}`
"""

from typing import Literal

from pydantic import Field

from tinyreason.data.filters import inner_places
from tinyreason.data.transforms._transform import Transform, TransformContext
from tinyreason.example import Example


class Trim(Transform):
    """Drops a share of the rows at either end of their order by length."""

    kind: Literal["trim"] = "trim"
    share: float = Field(0.05, gt=0, lt=0.5)
    """The share that goes at either end."""

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        inside = inner_places([len(one.completion or "") for one in examples], int(self.share * len(examples)))
        return self.kept(examples, (place in inside for place in range(len(examples))), "longest or shortest", context)
