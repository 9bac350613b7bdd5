"""Pays correct answers in full up to a length and less beyond it, and incorrect ones the more the longer they thought.

Why: Phi-4-reasoning-plus (arXiv 2504.21318): to think longer where the answer would be incorrect, not where it is
correct. Not checked against the paper: the constants, and that a truncated completion counts as a long incorrect one.
Formula: 8/13·R + 1/13·(share of different 5-token sequences − 1). Correct: R = 1 up to L_pc, then 0.5 + 0.25·(1 +
cos(π·z)), z = (L − L_pc)/(L_max − L_pc); incorrect: R = −0.5 − 0.25·(1 + cos(π·min(L/L_nc, 1))). L_pc = 25,600 and
L_nc = 3,702 of L_max = 31,744 there; here these shares of the completion limit. The measure of repetition is ours. It
holds correctness already; it stands alone.
Reward hacking: incorrect answers are paid to ramble, up to L_nc.
Example: `rewards: [{kind: phi4_length_cosine}]`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.algorithms.rewards._tags import repeated_share
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor

LIMIT, FREE, LONG_ENOUGH = 31_744, 25_600, 3_702
GRAM = 5


class Phi4LengthCosine(Reward):
    """Gives a correct answer 1 falling to 0.5 near the limit, an incorrect one −1 rising to −0.5, by 8/13."""

    reads_length: ClassVar[bool] = True

    kind: Literal["phi4_length_cosine"] = "phi4_length_cosine"
    free_share: float = Field(FREE / LIMIT, ge=0, lt=1)
    """L_pc as a share of the completion limit: a correct answer costs nothing up to here."""
    long_enough_share: float = Field(LONG_ENOUGH / LIMIT, gt=0, le=1)
    """L_nc as a share of the completion limit: an incorrect answer earns no more beyond it."""

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        distinct = [1 if count == 0 else different / count for _, different, count in map(grams, batch.ids)]
        return 8 / 13 * self.outcome(batch) + 1 / 13 * (batch.correct.new_tensor(distinct) - 1)

    def outcome(self, batch: Batch) -> Tensor:
        """Returns (N,) R, from −1 to 1."""
        import math

        share = batch.length.float() / batch.max_completion_tokens
        over = ((share - self.free_share) / (1 - self.free_share)).clamp(0.0, 1.0)
        thought = (share / self.long_enough_share).clamp(max=1.0)
        correct = 0.5 + 0.25 * (1 + (math.pi * over).cos())
        incorrect = -0.5 - 0.25 * (1 + (math.pi * thought).cos())
        return batch.where_graded(correct.where(batch.correct == 1, incorrect))


def grams(ids: list[int]) -> tuple[int, int, int]:
    """Returns of the 5-token sequences how many stand there repeatedly, are different, and are there."""
    return repeated_share(ids, GRAM)
