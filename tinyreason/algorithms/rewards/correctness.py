"""Gives 1 for a correct final answer, 0 for an incorrect one.

Why: the verifiable reward of RLVR (1-shot RLVR, arXiv 2504.20571, uses it alone).
Formula: c, as graded once in `grading/`; nan where the gold answer cannot be parsed.
Reward hacking: on few problems the answer itself can be memorised; a KL penalty and unseen problems tell.
Example: `rewards: [{kind: correctness}]`
"""

from typing import Literal

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class Correctness(Reward):
    """Gives 1 for a correct final answer, 0 for an incorrect one."""

    kind: Literal["correctness"] = "correctness"

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        return batch.correct
