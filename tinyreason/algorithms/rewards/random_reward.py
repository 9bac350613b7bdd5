"""Gives 1 or 0 by the toss of a coin: a control, never a way to train.

Why: on some bases a reward without any information still moves the score (Spurious Rewards, arXiv 2506.10947), so a
gain counts only beyond what this one brings.
Formula: a fair coin for each different completion of a step, a hash of seed, step, problem and text; so a resumed run
tosses the same, and the same completion earns the same.
Reward hacking: there is nothing to hack; what changes under it is noise, and the habits that clipping amplifies.
Example: `rewards: [{kind: random, seed: 0}]`, or `tinyreason recipe NAME --controls`
"""

import hashlib
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class RandomReward(Reward):
    """Gives 1 or 0 by the toss of a coin: a control, never a way to train."""

    reads_gold: ClassVar[bool] = False

    kind: Literal["random"] = "random"
    seed: int = Field(0, ge=0)
    """Seed of the coin."""

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        """Returns (N,) of 0 and 1."""
        tosses = [
            self._toss(batch.step, example.id, text) for example, text in zip(batch.examples, batch.texts, strict=True)
        ]
        return batch.correct.new_tensor(tosses)

    def _toss(self, step: int, problem_id: str, text: str) -> float:
        said = f"{self.seed}/{step}/{problem_id}/{text}"
        return float(hashlib.sha256(said.encode(errors="backslashreplace")).digest()[0] & 1)
