"""Keeps, of each problem, the shortest completion that is correct.

Why: TOPS (arXiv 2502.18080): a model that imitates its own shortest correct completions thinks as long as a problem
needs. Not checked against the paper: ties.
Formula: of the correct rows of a problem, over all its variants, the one with the fewest tokens, of equals the first.
How it fails: the shortest of many is often a guess that was correct by luck.
Example: `data: {transforms: [{kind: shortest_correct}]}` on rows that are several samples a problem
"""

from typing import ClassVar, Literal

from tinyreason.data.transforms._transform import Transform, TransformContext, by_problem, is_correct, tokens_of
from tinyreason.example import Example


class ShortestCorrect(Transform):
    """Keeps the shortest correct completion of each problem."""

    needs: ClassVar[frozenset[str]] = frozenset({"tokenizer", "grader"})

    kind: Literal["shortest_correct"] = "shortest_correct"

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        rows = self.graded(self.completions(examples, context), context)
        correct = self.kept(rows, map(is_correct, rows), "not correct", context)
        groups = by_problem(correct).values()
        context.dropped["longer"] += len(correct) - len(groups)
        return [min(group, key=lambda row: tokens_of(row, context)) for group in groups]
