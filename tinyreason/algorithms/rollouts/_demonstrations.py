"""Puts worked solutions into groups, for the methods that differ in what they make of them."""

from collections.abc import Sequence

from tinyreason.algorithms.rollouts._rollout_plan import Policy, Rollout, from_source, in_groups, per_token
from tinyreason.rollout import Batch
from tinyreason.tensors import Tensor

SOLUTION = "solution"
"""Source of a rollout that is the data's worked solution."""


def roll_beside_solutions(rollouts: Sequence[Rollout], policy: Policy, count: int) -> None:
    """Has the policy answer, but for the last `count` rollouts of each group, which are the worked solution."""
    groups = in_groups(rollouts, policy.group_size)
    policy.sample([rollout for group in groups for rollout in group[:-count]])
    for group in groups:
        for rollout in group[-count:]:
            rollout.become(policy.solution(rollout.example), SOLUTION)


def favour_unlikely(batch: Batch, advantages: Tensor, source: str, gamma: float) -> Tensor:
    """Returns (N, T) advantages, those of rows from `source` times γ·π/(π + γ)², which is the gradient of π/(π + γ)."""
    probability = batch.logp.exp()
    weights = gamma * probability / (probability + gamma).square()
    advantages = per_token(advantages, batch)
    return advantages.where(~from_source(batch, source)[:, None], advantages * weights)
