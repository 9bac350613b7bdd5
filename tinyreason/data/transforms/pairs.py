"""Trains towards a correct completion and away from an incorrect one of the same problem.

Why: REDI (arXiv 2505.24850): incorrect traces teach too, where they count less than the correct ones.
Formula: of each problem that has both, the first correct row weighs 1 and the first incorrect one −α, α = 0.8. The
paper's loss divides by each completion's own length, `train: {normalize: sequence}`; its mean is over pairs, here over
rows, which is half of that.
How it fails: the loss has no lower bound; after too many steps or at a high learning rate the model falls apart. The
paper's is 1e-6, with all weights trained.
Example: `data: {kind: rollouts, file: samples.jsonl, transforms: [{kind: pairs}]}` after ordinary fine-tuning
"""

from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.data.transforms._transform import Transform, TransformContext, by_problem, is_correct
from tinyreason.example import Example


class Pairs(Transform):
    """Keeps a correct and an incorrect completion of each problem, the latter with a negative weight."""

    needs: ClassVar[frozenset[str]] = frozenset({"grader"})
    compares: ClassVar[bool] = True

    kind: Literal["pairs"] = "pairs"
    rejected: float = Field(0.8, gt=0, le=1)
    """α, how much the incorrect one counts against itself."""

    def check(self, run, path: str) -> None:
        self.check_weighs(run, path)

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        left = []
        for rows in by_problem(self.graded(self.completions(examples, context), context)).values():
            chosen = next((row for row in rows if is_correct(row)), None)
            rejected = next((row for row in rows if not is_correct(row)), None)
            if chosen and rejected:
                left += [replace(chosen, weight=1.0), replace(rejected, weight=-self.rejected)]
                context.dropped["another one of the problem"] += len(rows) - 2
            else:
                context.dropped["all correct" if chosen else "none correct"] += len(rows)
        return left
