"""Compares each rollout with its group's mean, in which a long completion counts more than a short one.

Why: the baseline of least variance weighs each rollout by its gradient's square, which grows about as its length: OPO,
on-policy RL with optimal reward baseline (arXiv 2505.23585).
Formula: A_i = r_i − Σ L_j r_j / Σ L_j over the graded rollouts of the group, L in tokens. Those that cannot be graded
(nan) get 0. It holds where a rollout is trained on once, by the policy that sampled it.
Reward hacking: where incorrect completions are the long ones, as truncated ones are, the baseline is low and correct
ones are raised by more than incorrect ones are lowered, and the other way round.
Example: `advantage: {kind: opo}`
"""

from typing import ClassVar, Literal

from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class Opo(Advantage):
    """Takes from each reward the mean of its group, weighted by length."""

    one_update: ClassVar[bool] = True

    kind: Literal["opo"] = "opo"

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        reward = batch.in_groups(batch.reward).double()  # in which equal rewards are exactly their mean
        weight = batch.lengths_P_G.where(~reward.isnan(), 0.0).double()
        baseline = (weight * reward).nansum(dim=1, keepdim=True) / weight.sum(dim=1, keepdim=True)
        return (reward - baseline).nan_to_num(0.0).float().view(-1)
