"""Writes to each row how often its problem was solved, so that other transforms can go by it.

Why: how hard a problem is for a model is best said by the model's own samples.
Formula: pass rate = correct rows of a problem / its rows; `scores` holds 1 or 0 for each.
How it fails: of n samples the rate comes in steps of 1 / n; of a set with one solution a problem it is 1 for all.
Example: `data: {transforms: [{kind: pass_rate, rows: one}, {kind: hardest, n: 100}]}`
"""

from typing import ClassVar, Literal

from tinyreason.data.transforms._transform import Transform, TransformContext, by_problem, is_correct, with_meta
from tinyreason.example import Example


class PassRate(Transform):
    """Writes the pass rate of its problem to each row."""

    needs: ClassVar[frozenset[str]] = frozenset({"grader"})
    compares: ClassVar[bool] = True

    kind: Literal["pass_rate"] = "pass_rate"
    rows: Literal["all", "one"] = "all"
    """Whether all rows of a problem stay, or the first alone, as a set of problems wants it."""

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        left = []
        for rows in by_problem(self.graded(examples, context)).values():
            scores = [float(is_correct(row)) for row in rows]
            known = {"pass_rate": sum(scores) / len(scores), "scores": scores}
            kept = rows if self.rows == "all" else rows[:1]
            context.dropped["another sample of the problem"] += len(rows) - len(kept)
            left += [with_meta(row, **known) for row in kept]
        return left
