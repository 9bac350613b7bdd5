"""Pays a correct answer the more the nearer it comes to the group's shortest correct one.

Why: Self-Rewarded Efficiency RL: the model's own correct samples are the yardstick of brevity, and incorrect answers
earn nothing for it. The abstract gives no formula; this ratio is our reading of it.
Formula: c + α · c · L_min/L, L_min the shortest correct answer of the group. It holds correctness already; it stands
alone.
Reward hacking: an incorrect answer never gains; once all are of one length, nothing pulls further.
Example: `rewards: [{kind: self_efficiency_length, alpha: 0.5}]`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class SelfEfficiencyLength(Reward):
    """Gives 1 for a correct answer, and up to α more the nearer it is to the group's shortest correct one."""

    reads_length: ClassVar[bool] = True

    kind: Literal["self_efficiency_length"] = "self_efficiency_length"
    alpha: float = Field(1.0, ge=0)
    """α, what the shortest correct answer earns beside correctness."""

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        correct = batch.correct_lengths_P_G
        shortest = correct.nan_to_num(float("inf")).amin(dim=1, keepdim=True)
        return batch.correct + self.alpha * (shortest / correct).nan_to_num(0.0).view(-1)
