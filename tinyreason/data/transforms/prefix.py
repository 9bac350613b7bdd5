"""Puts the beginning of a solution into the prompt, so that some rollouts of a hard problem succeed.

Why: QuestA (arXiv 2507.13266): where no rollout is correct there is no gradient; a part of the solution makes the
problem easier, first a half, in a later stage a quarter.
Formula: the first `share` of the characters behind `</think>`, or of the whole solution, after `## Hint.`; no hint of
fewer than 10 characters; rows go whose answer does not stand in their solution.
How it fails: a solution that states its answer early gives it away.
Example: `data: {kind: solutions, file: hard.jsonl, transforms: [{kind: prefix, share: 0.5}]}` with `trainer: grpo`
"""

from typing import Literal

from pydantic import Field

from tinyreason.data.transforms._transform import Transform, TransformContext, with_problem
from tinyreason.example import Example
from tinyreason.grading.answers import gold_text
from tinyreason.grading.thought import CLOSE

LEAST_CHARS = 10


class Prefix(Transform):
    """Writes a part of the solution behind the problem."""

    kind: Literal["prefix"] = "prefix"
    share: float = Field(0.5, gt=0, lt=1)
    """The share of the solution's characters that is shown."""

    def check(self, run, path: str) -> None:
        if run.train.needs_completions or not path.startswith("data."):
            raise ValueError(f"{path}: prefix shows the solution that fine-tuning imitates; it is for data of GRPO")

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        rows = self.completions(examples, context)
        told = (gold_text(one.answer) in one.completion for one in rows)
        return [self.hinted(one) for one in self.kept(rows, told, "answer not in its solution", context)]

    def hinted(self, example: Example) -> Example:
        """Returns the row with the hint in its prompt, or as it is where that is too short."""
        solution = example.completion.rpartition(CLOSE)[2].strip()
        hint = solution[: int(self.share * len(solution))]
        return with_problem(example, f"{example.problem}\n\n## Hint.\n{hint}") if len(hint) >= LEAST_CHARS else example
