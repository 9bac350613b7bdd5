"""Compares each rollout with the mean of its group.

Why: dividing by the group's standard deviation (GRPO) inflates problems that are nearly always or nearly never solved;
Dr. GRPO leaves the division out (arXiv 2503.20783).
Formula: A_i = r_i − mean_group(r). Rollouts that cannot be graded (nan) count in no mean and get 0.
Reward hacking: not by the model; with a constant reward in a group there is no gradient.
Example: `advantage: {kind: dr_grpo}`
"""

from typing import Literal

from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class DrGrpo(Advantage):
    """Takes from each rollout's reward the mean of its group."""

    kind: Literal["dr_grpo"] = "dr_grpo"

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        centred, _ = batch.deviations(batch.in_groups(batch.reward))
        return centred.nan_to_num(0.0).view(-1)
