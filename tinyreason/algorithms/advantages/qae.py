"""Compares each rollout with a quantile of its group, not with the mean.

Why: against the mean each group pushes both ways; against a quantile a hard problem has its rare successes raised alone
and an easy one its remaining failures lowered alone, which keeps entropy from collapsing and from exploding: QAE,
quantile advantage estimation (arXiv 2509.22611).
Formula: A_i = (r_i − Q)/(std_group(r) + 1e-6), Q the smallest reward of the group below or at which a share `quantile`
of it lies; of rewards 0 and 1 it is 0 up to a pass rate of 1 − quantile, 1 above. Rollouts that cannot be graded (nan)
count in no quantile and get 0.
Not checked against the paper: Q where rewards are not 0 and 1.
Reward hacking: as GRPO: a tiny reward term that alone differs in a group is blown up to full size.
Example: `advantage: {kind: qae, quantile: 0.4}`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class Qae(Advantage):
    """Takes from each reward a quantile of its group's, and divides by the group's standard deviation."""

    divides_by_std: ClassVar[bool] = True

    kind: Literal["qae"] = "qae"
    quantile: float = Field(0.4, gt=0, lt=1)
    """Share of the group that lies at the baseline or below it."""

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        reward = batch.in_groups(batch.reward)
        graded = (~reward.isnan()).sum(dim=1, keepdim=True)
        place = (self.quantile * graded.double() - 1e-9).ceil().long() - 1  # 1e-9: 0.3 of 10 are 3, not a little more
        baseline = reward.sort(dim=1).values.gather(1, place.clamp(min=0))  # sorted, nan stands last
        _, std = batch.deviations(reward)
        return ((reward - baseline) / (std + 1e-6)).nan_to_num(0.0).view(-1)
