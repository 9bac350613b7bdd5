"""Weights GRPO's advantage by how hard the problem was for the group: hard ones count more.

Why: GRPO-LEAD (arXiv 2504.09696); its length reward is `rewards: [{kind: grpo_lead}]`.
Formula: A_i = (r_i − mean)/(std + 1e-6), times w(p) where it is above 0 and w(1 − p) below; w(x) = 0.4 + 1.1/(1 +
exp(10(x − 0.75))), p the group's share of correct answers. The weight looks at correctness, never at the shaped reward.
Reward hacking: as GRPO: a tiny reward term that alone differs in a group is blown up, here to about w(1) = 0.48.
Example: `advantage: {kind: grpo_lead}`
"""

from typing import ClassVar, Literal

from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class GrpoLead(Advantage):
    """Weights by difficulty each reward's distance from its group's mean in standard deviations."""

    divides_by_std: ClassVar[bool] = True
    reads_gold: ClassVar[bool] = True

    kind: Literal["grpo_lead"] = "grpo_lead"

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        advantage = batch.z_scores(batch.in_groups(batch.reward))
        rate = batch.pass_rate.nan_to_num(0.0)
        return advantage * weight(rate.where(advantage > 0, 1 - rate))


def weight(share: Tensor) -> Tensor:
    """Returns w(x): 1.5 for x near 0, 0.48 at 1, half-way at 0.75."""
    return 0.4 + 1.1 / (1 + (10 * (share - 0.75)).exp())
