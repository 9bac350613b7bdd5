"""Keeps correct completions, and refusals that come after enough reasoning; how much is enough moves each round.

Why: Auto-CEI (arXiv 2410.07627): a model that may refuse refuses too early, one that may not makes answers up. Expert
iteration on a reward that pays a refusal the more the longer it was tried finds the point between.
Formula: a correct completion earns 1, an incorrect one −1, a refusal 2/(1 + exp(−c₂·(d − c₁))) − 1, d = lines of
reasoning before it; of each problem the rows that earn most stay, where that is above 0. At the first round c₁ is the
refusals' mean d and one step more, step = min(0.2·s, 0.5), c₂ = −ln(0.1)/(4·s), s the standard deviation of all rows'
lines, at least 0.5 (ours). Each later round takes the f of the completions that it samples, (1 − λ)·precision +
λ·(1 − share of refusals), as that of the round before, and moves c₁ by a step from the best so far, on in the direction
that raised f and back where it fell, until both neighbours were tried. Precision is that of what is not refused.
Not checked against the paper: which rows of a problem stay, and what sets off its first round; here {kind: refusals}.
How it fails: f of few samples is noise, and c₁ then wanders.
Example: `data: {kind: sampled, name: sandbox, keep: all, transforms: [{kind: auto_cei}]}` in stages with `repeat`
"""

from collections.abc import Sequence
from math import exp, log
from statistics import fmean, pstdev
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.data.transforms._transform import Transform, TransformContext, by_problem, is_correct
from tinyreason.example import Example
from tinyreason.grading.refusal import first_refusal, reasoning_lines

LEAST_DEVIATION = 0.5


class AutoCei(Transform):
    """Keeps correct completions, and refusals after enough reasoning."""

    needs: ClassVar[frozenset[str]] = frozenset({"grader"})
    compares: ClassVar[bool] = True

    kind: Literal["auto_cei"] = "auto_cei"
    refusal_weight: float = Field(0.2, ge=0, le=1)
    """λ, what answering at all counts beside answering correctly."""
    text: str | None = None
    """What a refusal says; unset: "I don't know", "sorry" and the like."""

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        rows = self.graded(self.completions(examples, context), context)
        refuses = [first_refusal(row.completion, self.text) is not None for row in rows]
        lines = [reasoning_lines(row.completion, self.text) for row in rows]
        score = quality([is_correct(row) for row in rows], refuses, self.refusal_weight)
        if context.earlier:
            begun = context.earlier[0]
            tried = [(then["step"], now["f"]) for then, now in zip(context.earlier, context.earlier[1:], strict=False)]
            place = next_step([*tried, (context.earlier[-1]["step"], score)])
        else:
            deviation = max(LEAST_DEVIATION, pstdev(lines))
            before = [count for count, refused in zip(lines, refuses, strict=True) if refused]
            begun, place = {"mean": fmean(before or lines), "deviation": deviation}, 1
        step, c2 = constants(begun["deviation"])
        c1 = begun["mean"] + place * step
        context.noted = begun | {"step": place, "f": score, "c1": c1}
        reason, left = f"not worth it at c1 {c1:.2f}, f {score:.2f}", []
        for group in by_problem(rows).values():
            earned = [self.earned(row, c1, c2) for row in group]
            left += self.kept(group, (one == max(earned) > 0 for one in earned), reason, context)
        return left

    def earned(self, row: Example, c1: float, c2: float) -> float:
        """Returns what a row earns: 1 or −1, or what its refusal is worth."""
        if first_refusal(row.completion, self.text) is None:
            return 1.0 if is_correct(row) else -1.0
        return refusal_reward(reasoning_lines(row.completion, self.text), c1, c2)


def quality(correct: Sequence[bool], refuses: Sequence[bool], weight: float = 0.2) -> float:
    """Returns (1 − λ)·precision + λ·(1 − share of refusals); precision is that of the rows that do not refuse."""
    answered = [one for one, refused in zip(correct, refuses, strict=True) if not refused]
    precision = sum(answered) / len(answered) if answered else 0.0
    return (1 - weight) * precision + weight * len(answered) / max(1, len(refuses))


def constants(deviation: float) -> tuple[float, float]:
    """Returns (by how much c₁ moves, c₂) of the standard deviation of the lines."""
    return min(0.2 * deviation, 0.5), -log(0.1) / deviation / 4


def refusal_reward(lines: float, c1: float, c2: float) -> float:
    """Returns what a refusal after so many lines earns, from −1 to 1, 0 at c₁."""
    return 2 / (1 + exp(-c2 * (lines - c1))) - 1


def next_step(tried: Sequence[tuple[int, float]]) -> int:
    """Returns the step to try next after these (step, its f) in their order: beside the best, where not both were."""
    known = dict(tried)
    best = max(known, key=known.get)
    came = 1 if len(tried) == 1 or tried[-1][0] >= tried[-2][0] else -1
    return next((place for place in (best + came, best - came) if place not in known), best)
