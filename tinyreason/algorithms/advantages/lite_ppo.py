"""Compares each rollout with the mean of its group, in units of the whole batch's standard deviation.

Why: a group of almost equal rewards has a tiny standard deviation, by which GRPO blows up what little differs; the
batch's is steadier. With `train.loss=dapo` it is Lite PPO (arXiv 2508.08221).
Formula: A_i = (r_i − mean_group(r)) / (std + 1e-6), std over all rewards of the batch (`rewards`), or over all r_i −
mean_group(r) (`centred`, the baseline of REINFORCE++, arXiv 2501.03262), with one degree of freedom less than there are
values. Rollouts that cannot be graded (nan) count in no mean and get 0.
Reward hacking: late in a run, when little differs in the whole batch, a tiny reward term is blown up as by GRPO.
Example: `advantage: {kind: lite_ppo}` with `train: {loss: dapo}`
"""

from typing import ClassVar, Literal

from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class LitePpo(Advantage):
    """Takes from each reward the mean of its group, and divides by the standard deviation of the whole batch."""

    of_group_alone: ClassVar[bool] = False

    kind: Literal["lite_ppo"] = "lite_ppo"
    std_of: Literal["rewards", "centred"] = "rewards"
    """What the standard deviation is of: the rewards, or the rewards less their group's mean."""

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        centred, _ = batch.deviations(batch.in_groups(batch.reward))
        _, std = batch.deviations((batch.reward if self.std_of == "rewards" else centred).view(1, -1))
        return (centred / (std + 1e-6)).nan_to_num(0.0).view(-1)
