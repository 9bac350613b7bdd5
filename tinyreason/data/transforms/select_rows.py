"""Keeps the rows whose problem is hard and whose solution is long.

Why: Select2Reason (arXiv 2505.17266): a tenth of a set, hard and long, teaches about as much as all of it. There a
model says how hard a problem is; here it is d = 1 − pass rate.
Formula: by w · d + (1 − w) · L / L_max, L the tokens of the completion; the highest max(1, ⌊share · N⌋) rows stay.
Not checked against the paper: the joint score and w; the released scripts rank by d alone or by L alone.
How it fails: the longest solutions are also those that ramble, or that never found the answer.
Example: `data: {transforms: [{kind: select, share: 0.1}]}`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.data.transforms._transform import Transform, TransformContext, tokens_of
from tinyreason.example import Example


class SelectRows(Transform):
    """Keeps a share of the rows, the hardest and longest."""

    needs: ClassVar[frozenset[str]] = frozenset({"tokenizer"})

    kind: Literal["select"] = "select"
    share: float = Field(0.1, gt=0, le=1)
    """The share of the rows that is kept."""
    by: Literal["joint", "difficulty", "length"] = "joint"
    """What they are ranked by: both, 1 − pass rate alone, or the length alone."""
    difficulty_weight: float = Field(0.5, ge=0, le=1)
    """w, how much the difficulty counts in `joint`."""

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        scores = self.scores(examples, context)
        count = max(1, int(len(examples) * self.share))
        best = set(sorted(range(len(examples)), key=lambda place: -scores[place])[:count])
        return self.kept(examples, (place in best for place in range(len(examples))), "easier or shorter", context)

    def scores(self, examples: list[Example], context: TransformContext) -> list[float]:
        """Returns what each row is ranked by, the highest first."""
        weight = {"joint": self.difficulty_weight, "difficulty": 1.0, "length": 0.0}[self.by]
        lengths = [tokens_of(example, context) if weight < 1 else 0 for example in examples]
        hard = [1 - self.pass_rate_of(example) if weight > 0 else 0.0 for example in examples]
        longest = max(lengths) or 1
        return [weight * d + (1 - weight) * length / longest for d, length in zip(hard, lengths, strict=True)]
