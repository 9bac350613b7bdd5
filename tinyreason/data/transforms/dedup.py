"""Keeps the first of rows that say the same, and drops completions that go round in circles.

Why: a problem that comes back a hundred times under small changes is trained on a hundred times
(AM-DeepSeek-R1-Distilled, arXiv 2503.19633, which compares embeddings; text and numbers are ours).
Formula: rows are one where their text is the same but for case and space, or at least `ratio` alike with the same
numbers; a completion goes in which one run of 20 words stands 3 times or more.
How it fails: the same problem in other words stays; a template with other numbers is never one, and should not be.
What the test shares with the data is `tinyreason audit`'s to find, and a run leaves it out of the test by itself.
Example: `data: {transforms: [{kind: dedup}]}`
"""

import re
from collections import Counter
from typing import Literal

from pydantic import Field

from tinyreason.data.filters import first_of_alike
from tinyreason.data.transforms._transform import Transform, TransformContext, problem_key
from tinyreason.example import Example

LOOP_WORDS, LOOP_TIMES = 20, 3


class Dedup(Transform):
    """Keeps the first of near-duplicates."""

    kind: Literal["dedup"] = "dedup"
    of: Literal["problem", "completion"] = "problem"
    """What is compared: the problems of all rows, or, among rows of one problem, their completions."""
    ratio: float = Field(0.95, gt=0, le=1)
    """Rows with the same numbers are one from this share of their text on; 1 = only where all of it is the same."""
    loops: bool = True
    """Whether completions that repeat themselves go too."""

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        texts = [one.identity if self.of == "problem" else one.completion or "" for one in examples]
        groups = ["" if self.of == "problem" else problem_key(one) for one in examples]
        first = first_of_alike(texts, groups, self.ratio)
        left = self.kept(examples, (place in first for place in range(len(texts))), "near-duplicate", context)
        return self.kept(left, (not (self.loops and is_loop(one.completion or "")) for one in left), "loop", context)


def is_loop(text: str) -> bool:
    """Returns whether one run of 20 words stands in it 3 times or more."""
    words = re.findall(r"\S+", text.lower())
    runs = Counter(tuple(words[at : at + LOOP_WORDS]) for at in range(len(words) - LOOP_WORDS + 1))
    return max(runs.values(), default=0) >= LOOP_TIMES
