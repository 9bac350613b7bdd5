"""Ends the incorrect completions of problems that none solves in a refusal, in place of their answer.

Why: R-Tuning (arXiv 2311.09677): a model that is only taught answers makes one up where it does not know; shown where
its own attempts failed, it learns to say so. Not checked against the paper: what it does with the attempts.
Formula: of a problem with a correct row the correct ones stay; of one without, each finished row keeps its reasoning,
and `text` stands where its answer stood: behind the thought, or in place of the last line.
How it fails: a model that fails because it hardly tried learns to refuse at once; `auto_cei` moves that.
Example: `data: {kind: sampled, name: sandbox, keep: all, transforms: [{kind: refusals}]}`
"""

from dataclasses import replace
from typing import ClassVar, Literal

from tinyreason.data.transforms._transform import Transform, TransformContext, by_problem, is_correct, with_meta
from tinyreason.example import Example
from tinyreason.grading.thought import CLOSE, thought_and_answer


class Refusals(Transform):
    """Ends attempts at problems that none solves in a refusal."""

    needs: ClassVar[frozenset[str]] = frozenset({"grader"})
    compares: ClassVar[bool] = True

    kind: Literal["refusals"] = "refusals"
    text: str = "I don't know."
    """How it is refused."""

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        rows = self.graded(self.completions(examples, context), context)
        rows = self.kept(rows, (not one.meta.get("truncated") for one in rows), "truncated", context)
        left = []
        for group in by_problem(rows).values():
            correct = [row for row in group if is_correct(row)]
            context.dropped["not correct, where another is"] += len(group) - len(correct) if correct else 0
            left += correct or [self.refused(row) for row in group]
        return left

    def refused(self, example: Example) -> Example:
        """Returns an attempt that ends in a refusal."""
        parts = thought_and_answer(example.completion)
        kept = parts[0] + CLOSE if parts else "".join(example.completion.rstrip().splitlines(keepends=True)[:-1])
        text = f"{kept.rstrip()}\n{self.text}".lstrip()
        left = replace(example, completion=text, spans=())
        return with_meta(left, tokens=None) if "tokens" in example.meta else left
