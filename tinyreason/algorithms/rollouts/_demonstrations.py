"""Puts worked solutions into groups, for the methods that differ in what they make of them."""

from collections.abc import Sequence

from tinyreason.algorithms.rollouts._rollout_plan import Policy, Rollout, from_source, per_token
from tinyreason.rollout import Batch
from tinyreason.tensors import Tensor

SOLUTION = "solution"
"""Source of a rollout that is the data's worked solution."""


def roll_beside_solutions(rollouts: Sequence[Rollout], policy: Policy, count: int) -> None:
    """Has the policy answer, but for the last `count` rollouts of each problem, which are its worked solution."""
    answered, seen = [], {}
    for rollout in reversed(rollouts):
        seen[rollout.example.id] = place = seen.get(rollout.example.id, 0) + 1
        if place <= count:
            rollout.become(policy.solution(rollout.example), SOLUTION)
        else:
            answered.append(rollout)
    policy.sample(answered[::-1])


def favour_unlikely(batch: Batch, advantages: Tensor, source: str, gamma: float) -> Tensor:
    """Returns (N, T) advantages, those of rows from `source` times γ·π/(π + γ)², which is the gradient of π/(π + γ)."""
    probability = batch.logp.exp()
    weights = gamma * probability / (probability + gamma).square()
    advantages = per_token(advantages, batch)
    return advantages.where(~from_source(batch, source)[:, None], advantages * weights)
