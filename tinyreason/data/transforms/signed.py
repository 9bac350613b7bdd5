"""Trains towards correct completions and away from incorrect ones, all of them.

Why: incorrect completions say what not to do, and most of what a model samples is incorrect where there is most to
learn (negative samples alone teach: arXiv 2506.01347; TOPR, arXiv 2503.14286; REDI without pairs, arXiv 2505.24850).
Formula: a correct row weighs `correct`, an incorrect one `incorrect`; rows of weight 0 go. REDI: 1 and −0.8; TOPR with
a baseline k: 1 − k and −1 − k, which makes of a share p of correct rows one of p(1 − k) / (1 + k(1 − 2p)) by weight;
its authors found 0.1 to 0.2 best. Negative rows alone: 0 and −1, or 0.1 and −1.
How it fails: the loss has no lower bound but with `train.loss=topr`; more so the fewer rows are correct.
Example: `data: {kind: rollouts, run: runs/NAME, transforms: [{kind: signed}]}` with `train: {normalize: sequence}`
"""

from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.data.transforms._transform import Transform, TransformContext, is_correct
from tinyreason.example import Example


class Signed(Transform):
    """Weighs correct completions positively and incorrect ones negatively."""

    needs: ClassVar[frozenset[str]] = frozenset({"grader"})
    compares: ClassVar[bool] = True

    kind: Literal["signed"] = "signed"
    correct: float = Field(1.0, ge=0)
    """What a correct completion weighs."""
    incorrect: float = Field(-1.0, le=0)
    """What an incorrect one weighs."""

    def check(self, run, path: str) -> None:
        self.check_weighs(run, path)

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        rows = self.graded(self.completions(examples, context), context)
        weighed = [replace(row, weight=self.correct if is_correct(row) else self.incorrect) for row in rows]
        return self.kept(weighed, (bool(row.weight) for row in weighed), "of weight 0", context)
