"""Gives 1 for a correct final answer, 0 for an incorrect one.

Why: the verifiable reward of RLVR (1-shot RLVR, arXiv 2504.20571, uses it alone).
Formula: c, as graded once in `grading/`; nan where the gold answer cannot be parsed.
With `flip` q, each question at each step is graded the other way with probability q, all its completions alike: the
noise of a study of noisy rewards (arXiv 2505.22653). Metrics and advantages that read correctness itself see no noise.
Reward hacking: on few problems the answer itself can be memorised; a KL penalty and unseen problems tell.
Example: `rewards: [{kind: correctness}]`
"""

import random
from typing import Literal

from pydantic import Field

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class Correctness(Reward):
    """Gives 1 for a correct final answer, 0 for an incorrect one."""

    kind: Literal["correctness"] = "correctness"
    flip: float = Field(0.0, ge=0, le=1)
    """Share of the questions that are graded the other way at a step: noise, for studies of it."""
    seed: int = Field(0, ge=0)
    """Seed of that noise."""

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        if not self.flip:
            return batch.correct
        flipped = [self.is_flipped(batch.step, example.id) for example in batch.examples]
        return (1 - batch.correct).where(batch.correct.new_tensor(flipped).bool(), batch.correct)

    def is_flipped(self, step: int, problem_id: str) -> bool:
        """Returns whether the problem is graded the other way at a step; a resumed run says the same."""
        return random.Random(f"{self.seed}/{step}/{problem_id}").random() < self.flip
