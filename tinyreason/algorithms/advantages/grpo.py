"""Compares each rollout with the mean of its group, in units of the group's standard deviation.

Why: the estimator of GRPO (arXiv 2402.03300), as 1-shot RLVR used it.
Formula: A_i = (r_i − mean_group(r)) / (std_group(r) + 1e-6), std over the G − 1 degrees of freedom.
Rollouts that cannot be graded (nan) count in no mean and get 0.
Reward hacking: a tiny reward term that alone differs in a group is blown up to full size.
Example: `advantage: {kind: grpo}`
"""

from typing import ClassVar, Literal

from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class Grpo(Advantage):
    """Takes from each rollout's reward the mean of its group, and divides by the group's standard deviation."""

    divides_by_std: ClassVar[bool] = True

    kind: Literal["grpo"] = "grpo"

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        return batch.z_scores(batch.in_groups(batch.reward))
