"""Compares each rollout with the others of its group, and gives correct and incorrect ones each their own scale.

Why: in a batch with few correct tokens their gradient is small beside that of the incorrect ones; OREAL, outcome
reward-based reinforcement learning (arXiv 2502.06781), normalises the two apart. Its token weights, from a reward model
of its own, are left out.
Formula: r = 1 or −1 for correct or not; a_i = r_i − mean of the other r_j of the group. A_i = a_i · N/N₊ where correct,
negative_weight · a_i · N/N₋ where not; N, N₊, N₋ the tokens of all, of the correct and of the incorrect graded rollouts
of the batch. A group with only correct or only incorrect ones: 0. It reads correctness alone, never the shaped reward:
length and format rewards change nothing. Rollouts that cannot be graded count in no mean and get 0.
Reward hacking: one correct completion in a batch weighs as much as all incorrect ones: a grader that errs is amplified.
Example: `advantage: {kind: oreal}` with `train: {loss: dapo, kl: 0.01, group_size: 16}`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class Oreal(Advantage):
    """Compares correctness with that of the others, correct and incorrect tokens each normalised by their number."""

    of_group_alone: ClassVar[bool] = False
    one_update: ClassVar[bool] = True
    reads_correctness_alone: ClassVar[bool] = True
    reads_gold: ClassVar[bool] = True

    kind: Literal["oreal"] = "oreal"
    negative_weight: float = Field(0.5, ge=0)
    """Weight of what incorrect completions add to the loss; correct ones have 1."""

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        outcome = batch.in_groups(2 * batch.correct - 1)
        up, down = ((batch.length * (batch.correct == side)).sum().clamp(min=1) for side in (1, 0))
        tokens = (batch.length * ~batch.correct.isnan()).sum()
        scale = (tokens / up).where(batch.correct == 1, self.negative_weight * tokens / down)
        return batch.above_others(outcome) * scale
