"""Weights a group by one over its pass rate, so that rare successes count most.

Why: the mean pass rate is maximised by problems that are half solved; MaxRL, maximum likelihood reinforcement learning
(arXiv 2602.02710), maximises its logarithm, for which what is seldom solved weighs more.
Formula: A_i = (c_i − p)/p, c_i 1 or 0 for correct or not, p their mean over the graded rollouts of the group; nobody
correct: 0. It reads correctness alone, never the shaped reward: length and format rewards change nothing. Rollouts that
cannot be graded count in no mean and get 0.
Reward hacking: the one correct answer of a group, perhaps a lucky guess, gets G − 1: a grader that errs is amplified.
Example: `advantage: {kind: maxrl}` with `train: {loss: dr_grpo, group_size: 16}`
"""

from typing import ClassVar, Literal

from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class Maxrl(Advantage):
    """Compares correctness with the group's pass rate, in units of that rate."""

    reads_correctness_alone: ClassVar[bool] = True
    reads_gold: ClassVar[bool] = True

    kind: Literal["maxrl"] = "maxrl"

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        rate = batch.pass_rate
        return ((batch.correct - rate) / rate).nan_to_num(0.0)
