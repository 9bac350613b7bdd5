"""Tells correct completions from incorrect ones as a classifier would, the likeliest incorrect ones first.

Why: DisCO, discriminative constrained optimisation (arXiv 2505.12366): the size of GRPO's advantages depends on how
often a problem is solved; a discriminative objective has no such bias.
Formula: s_i the mean log-probability of a completion's tokens; the objective of a group is the mean of s over the
correct ones − tau · log of the mean of exp(s/tau) over the incorrect ones. Its gradient is that of A_i = G/n₊ where
correct and −G · softmax(s/tau) among the incorrect ones, G the graded rollouts of the group, with train.loss=grpo. A
group with only correct or only incorrect ones: 0. It reads correctness alone, never the shaped reward. Its other score,
the ratio to the sampling policy, gives all incorrect ones the same at one update: a large tau. Its constraint, a
penalty where the divergence from the sampling policy exceeds 1e-4, is 0 there.
Reward hacking: as GRPO; an incorrect answer that the grader takes for correct weighs G/n₊ where few are correct.
Example: `advantage: {kind: disco}` with `train: {loss: grpo}`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class Disco(Advantage):
    """Raises correct completions alike, and lowers incorrect ones the more the likelier they were."""

    one_update: ClassVar[bool] = True
    published_loss: ClassVar[str | None] = "grpo"
    reads_correctness_alone: ClassVar[bool] = True
    reads_gold: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"logp"})

    kind: Literal["disco"] = "disco"
    tau: float = Field(10.0, gt=0)
    """How alike incorrect ones are lowered: small = the likeliest alone, large = all the same."""

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        correct = batch.in_groups(batch.correct)
        score = batch.in_groups(batch.token_mean(batch.logp)) / self.tau
        up, down = correct == 1, correct == 0
        counts = up.sum(dim=1, keepdim=True), down.sum(dim=1, keepdim=True)
        lowered = score.where(down, float("-inf")).softmax(dim=1).nan_to_num(0.0)
        weights = (up / counts[0].clamp(min=1) - lowered) * (counts[0] + counts[1])
        return weights.where((counts[0] > 0) & (counts[1] > 0), 0.0).view(-1)
