"""Keeps, of easy, middling and hard problems each, the solutions whose length suits the difficulty.

Why: OmniThought (arXiv 2505.10937): a long chain of thought helps on hard problems and hurts on easy ones. There a
teacher scores both from 0 to 9; rows without its `verbosity` and `difficulty` get the decile of their length and
9 · (1 − pass rate), which are ours.
Formula: correct rows; bins of the difficulty by `edges`; in bin i of B the `per_bin` rows nearest to the target
verbosity stay: `matched` 2 + i · 8 / (B − 1), or 2, 5, 8 for `low`, `medium`, `high` in every bin.
How it fails: deciles say how long a row is among these rows, not how long it should be.
Example: `data: {transforms: [{kind: pass_rate}, {kind: band, per_bin: 200}]}`
"""

from bisect import bisect_right
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.data.transforms._transform import Transform, TransformContext, is_correct, tokens_of
from tinyreason.example import Example

FLAT = {"low": 2.0, "medium": 5.0, "high": 8.0}
"""Target verbosity of every bin, by its word."""


class Band(Transform):
    """Keeps rows whose verbosity fits the difficulty of their problem."""

    needs: ClassVar[frozenset[str]] = frozenset({"tokenizer", "grader"})

    kind: Literal["band"] = "band"
    per_bin: int = Field(ge=1)
    """How many rows of each bin are kept."""
    edges: tuple[float, ...] = Field((0, 3, 6, 10), min_length=3)
    """Where the bins of the difficulty begin, and where the last one ends; the end belongs to it."""
    target: Literal["matched", "low", "medium", "high"] = "matched"
    """The verbosity that is wanted: growing with the difficulty, or the same in every bin."""

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        rows = self.graded(self.completions(examples, context), context)
        rows = self.kept(rows, map(is_correct, rows), "not correct", context)
        ranked = sorted(range(len(rows)), key=lambda place: tokens_of(rows[place], context))
        decile = {place: 10 * rank // len(rows) for rank, place in enumerate(ranked)}
        count = len(self.edges) - 1
        bins: list[list[tuple[float, Example]]] = [[] for _ in range(count)]
        for place, row in enumerate(rows):
            hard = self.difficulty(row)
            if not self.edges[0] <= hard <= self.edges[-1]:
                context.dropped["difficulty outside the bins"] += 1
                continue
            at = min(bisect_right(self.edges, hard), count) - 1
            wanted = FLAT.get(self.target, 2 + 8 * at / (count - 1))
            bins[at].append((abs(float(row.meta.get("verbosity", decile[place])) - wanted), row))
        left = [row for found in bins for _, row in sorted(found, key=lambda pair: pair[0])[: self.per_bin]]
        context.dropped["verbosity further from the target"] += sum(map(len, bins)) - len(left)
        return left

    def difficulty(self, example: Example) -> float:
        """Returns the teacher's difficulty of a row, else 9 · (1 − pass rate)."""
        known = example.meta.get("difficulty")
        is_number = isinstance(known, int | float) and not isinstance(known, bool)
        return float(known) if is_number else 9 * (1 - self.pass_rate_of(example))
