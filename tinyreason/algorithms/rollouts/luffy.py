"""Puts a worked solution into each group, and learns from it most where the policy thinks it unlikely.

Why: LUFFY (arXiv 2504.14945): where the policy is never correct its own rollouts teach nothing; a teacher's trace in
the group is what the others are compared with, and shaping keeps the policy from copying only what it says anyway.
Formula: with γ = 0.1 and π the token's probability, each token of a trace counts A·γ·π/(π + γ)², the gradient of
A·π/(π + γ). A is the trace's reward less the mean of the whole group: `advantage: {kind: dr_grpo}`, and
`train.loss: dr_grpo`.
A trace longer than the limit is truncated and graded as it then stands.
How it fails: the policy takes on the traces' form and length; an incorrect trace is compared like any other.
Example: `rollouts: {kind: luffy}` with `data: {kind: solutions, file: hard.jsonl}` and `trainer: grpo`
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.rollouts._demonstrations import SOLUTION, favour_unlikely, roll_beside_solutions
from tinyreason.algorithms.rollouts._rollout_plan import Policy, Rollout, RolloutPlan
from tinyreason.rollout import Batch
from tinyreason.tensors import Tensor


class Luffy(RolloutPlan):
    """Puts worked solutions into each group, weighted to teach most where the policy finds them unlikely."""

    shows_solutions: ClassVar[bool] = True
    one_update: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"logp"})

    kind: Literal["luffy"] = "luffy"
    solutions: int = Field(1, ge=1)
    """How many of a group's rollouts are its worked solution."""
    gamma: float = Field(0.1, gt=0)
    """Probability below which a token of a solution counts less and less."""

    def check(self, run, path: str) -> None:
        super().check(run, path)
        if self.solutions >= run.train.group_size:
            raise ValueError(
                f"{path}.solutions={self.solutions} leaves none of train.group_size to the policy; lower it"
            )

    def roll(self, rollouts: Sequence[Rollout], policy: Policy) -> None:
        roll_beside_solutions(rollouts, policy, self.solutions)

    def weigh(self, batch: Batch, advantages: Tensor) -> Tensor:
        return favour_unlikely(batch, advantages, SOLUTION, self.gamma)
