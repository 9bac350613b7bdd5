"""Compares each rollout with the mean of the others of its group.

Why: a baseline without the rollout itself is unbiased: RLOO, REINFORCE leave-one-out (arXiv 2402.14740).
Formula: A_i = r_i − mean of the other r_j = (r_i − mean_group(r)) · n/(n − 1), n the graded rollouts of the group; one
alone gets 0. Rollouts that cannot be graded (nan) count in no mean and get 0.
Reward hacking: not by the model. At equal group sizes it is dr_grpo at another learning rate, and with AdamW hardly
that: it matters where groups have different numbers of graded rollouts.
Example: `advantage: {kind: rloo}`
"""

from typing import Literal

from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class Rloo(Advantage):
    """Takes from each rollout's reward the mean of the others of its group."""

    kind: Literal["rloo"] = "rloo"

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        return batch.above_others(batch.in_groups(batch.reward))
