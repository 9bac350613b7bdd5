"""Keeps solutions by how many of their steps are incorrect, whatever they end in.

Why: Guiding Through Complexity (arXiv 2410.20533): at the same share of incorrect final answers, solutions with fewer
incorrect steps teach more.
Formula: incorrect steps / steps ≤ `most`; the share is `step_errors` of a row, else that of the equations written out
in its completion, as 12 + 5 = 18, which is ours. A row without an equation has none that is incorrect.
How it fails: equations may all hold and answer another question.
Example: `data: {transforms: [{kind: steps_within, most: 0.1}]}`
"""

import re
from typing import Literal

from pydantic import Field

from tinyreason.data.transforms._transform import Transform, TransformContext
from tinyreason.example import Example
from tinyreason.grading.arithmetic import read_number, same_number
from tinyreason.grading.notation import plain_notation

NUMBER = r"\d+(?:\.\d+)?"
EQUATION = re.compile(rf"(?<![\d.+\-*/×÷]){NUMBER}(?:\s*[-+*/×÷]\s*{NUMBER})+\s*=\s*-?{NUMBER}(?!\s*[\d+\-*/×÷^]|\.\d)")


class StepsWithin(Transform):
    """Keeps rows with few incorrect steps."""

    kind: Literal["steps_within"] = "steps_within"
    most: float = Field(0.0, ge=0, le=1)
    """The largest share of incorrect steps."""

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        shares = [example.meta.get("step_errors", incorrect_share(example.completion or "")) for example in examples]
        return self.kept(examples, (share <= self.most for share in shares), "too many incorrect steps", context)


def incorrect_share(text: str) -> float:
    """Returns the share of the equations in a text that do not hold."""
    sides = [found[0].split("=") for found in EQUATION.finditer(text)]
    numbers = [tuple(read_number(plain_notation(side.strip())) for side in pair) for pair in sides]
    holds = [same_number(left, right) for left, right in numbers if left and right]
    return sum(one is False for one in holds) / len(holds) if holds else 0.0
