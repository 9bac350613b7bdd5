"""Puts a worked solution into each group, and learns most from the tokens that the policy finds unlikely.

Why: RL-PLUS (arXiv 2508.00222): learning from its own rollouts alone narrows what a model can do; a solution from
outside, weighed by how unlikely its tokens are, widens it.
Formula: with π the token's probability, each token of a solution counts A·(1 − π)^0.5·2π/(1.5π + 0.5): the focus on
what is unlikely, times the ratio to a mixture of policies. A is its reward less the mean of the whole group:
`advantage: {kind: dr_grpo}`.
How it fails: as LUFFY; and tokens that are unlikely because they are noise count like those that teach.
Example: `rollouts: {kind: rl_plus}` with `data: {kind: solutions, file: hard.jsonl}` and `trainer: grpo`
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

from tinyreason.algorithms.rollouts._demonstrations import SOLUTION, roll_beside_solutions
from tinyreason.algorithms.rollouts._rollout_plan import Policy, Rollout, RolloutPlan, from_source, per_token
from tinyreason.rollout import Batch
from tinyreason.tensors import Tensor


class RlPlus(RolloutPlan):
    """Puts a worked solution into each group, weighted to teach most where the policy is least sure of it."""

    shows_solutions: ClassVar[bool] = True
    one_update: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"logp"})

    kind: Literal["rl_plus"] = "rl_plus"

    def roll(self, rollouts: Sequence[Rollout], policy: Policy) -> None:
        roll_beside_solutions(rollouts, policy, 1)

    def weigh(self, batch: Batch, advantages: Tensor) -> Tensor:
        probability = batch.logp.exp().clamp(max=1)
        weights = (1 - probability).sqrt() * 2 * probability / (1.5 * probability + 0.5)
        advantages = per_token(advantages, batch)
        return advantages.where(~from_source(batch, SOLUTION)[:, None], advantages * weights)
