"""1 for a right final answer, 0 for a wrong one.

Why: the verifiable reward of RLVR (1-shot RLVR, arXiv 2504.20571, uses it alone).
Formula: c, as judged once in `grading.py`; nan where the gold answer cannot be parsed.
How it can be gamed: on few problems the answer itself can be memorised; a KL leash and unseen problems tell.
Example: `rewards: [{kind: correctness}]`
"""

from typing import Literal

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class Correctness(Reward):
    """1 for a right final answer, 0 for a wrong one."""

    kind: Literal["correctness"] = "correctness"

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        return batch.correct
