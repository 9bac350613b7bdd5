"""Makes completions as frequent as their rewards say, in place of making the best one ever more frequent.

Why: FlowRL (arXiv 2509.15207): matching the whole distribution of rewards, as a flow network does, keeps several ways
to an answer. Its learnt partition function is left out: the group's mean takes its place, which is what makes the loss
of a group least (our derivation).
Formula: with A_i the reward in standard deviations of its group, l_i and ref_i the mean log-probability of a
completion's tokens under the policy and the reference, x_i = beta · A_i − l_i + ref_i; the loss of a group is the mean
of (mean x − x_i)². Its gradient is that of the advantage 2 · (x_i − mean x) with train.loss=grpo, here divided by 2 ·
beta, so that it is of GRPO's size: A_i + ((ref_i − l_i) − mean)/beta. Rollouts without a reward get 0.
Reward hacking: as GRPO; where rewards are equal the group is still pulled to the reference, as by a KL penalty.
Example: `advantage: {kind: flowrl}` with `train: {loss: grpo, kl: 0}`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class Flowrl(Advantage):
    """Compares how likely each completion became with how likely its reward says that it should be."""

    divides_by_std: ClassVar[bool] = True
    has_baseline: ClassVar[bool] = False
    one_update: ClassVar[bool] = True
    published_loss: ClassVar[str | None] = "grpo"
    needs: ClassVar[frozenset[str]] = frozenset({"logp", "ref_logp"})

    kind: Literal["flowrl"] = "flowrl"
    beta: float = Field(15.0, gt=0)
    """How much likelier a reward makes a completion; large = GRPO, small = the reference."""

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        gap = batch.token_mean(batch.ref_logp - batch.logp).where(~batch.reward.isnan(), float("nan"))
        pull, _ = batch.deviations(batch.in_groups(gap))
        return batch.z_scores(batch.in_groups(batch.reward)) + pull.view(-1).nan_to_num(0.0) / self.beta
