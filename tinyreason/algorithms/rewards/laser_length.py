"""Gives a correct answer half as much again when it stays under a target length.

Why: LASER (arXiv 2505.15612): a step at a target costs less accuracy than a hard token limit does.
Formula: correct 1, incorrect −0.5, no box or thoughts that never end −1; + 0.5 where that is 1 and L ≤ L_T. The paper:
L_T = 2,048, 4,096 or 8,192 of 16,384. It holds correctness already; it stands alone.
Reward hacking: under the target nothing is gained by being shorter still.
Example: `rewards: [{kind: laser_length, target_tokens: 512}]`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.rewards._laser import brief
from tinyreason.algorithms.rewards._reward import Reward, check_fits
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class LaserLength(Reward):
    """Gives 1 for a correct answer, 1.5 for one under the target length; −0.5 for an incorrect one."""

    reads_length: ClassVar[bool] = True

    kind: Literal["laser_length"] = "laser_length"
    target_tokens: int | None = Field(None, ge=1)
    """L_T, the target length in tokens; null = a quarter of the completion limit."""

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        return brief(batch, self.target_tokens or batch.max_completion_tokens / 4)

    def check(self, run, path: str) -> None:
        check_fits(f"{path}.target_tokens", self.target_tokens, run)
