"""Keeps completions by how they ended: all that did, only the correct, or only the incorrect ones.

Why: W2SR (arXiv 2505.20072): traces of a small reasoning model teach a larger one to reason, and even the incorrect
ones do, so each choice is worth a comparison. Not checked against the paper: its three sets.
Formula: rows with `truncated` go; of the others `all`, `correct` or `incorrect` ones stay.
How it fails: incorrect traces also teach their mistakes.
Example: `data: {transforms: [{kind: outcome, keep: correct}]}`
"""

from typing import ClassVar, Literal

from tinyreason.data.transforms._transform import Transform, TransformContext, is_correct
from tinyreason.example import Example


class Outcome(Transform):
    """Keeps finished completions, by whether they are correct."""

    needs: ClassVar[frozenset[str]] = frozenset({"grader"})

    kind: Literal["outcome"] = "outcome"
    keep: Literal["all", "correct", "incorrect"] = "all"
    """Which of the finished completions stay."""

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        rows = self.completions(examples, context)
        rows = self.kept(rows, (not one.meta.get("truncated") for one in rows), "truncated", context)
        if self.keep == "all":
            return rows
        rows, wants = self.graded(rows, context), self.keep == "correct"
        reason = "not correct" if wants else "correct"
        return self.kept(rows, (is_correct(one) == wants for one in rows), reason, context)
