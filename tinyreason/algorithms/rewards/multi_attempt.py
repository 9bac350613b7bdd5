"""Pays for the last of several attempts: correct, incorrect with an answer, or without one.

Why: multi-attempt RL (arXiv 2503.04808): what counts is where a dialogue ends, not how many tries it took, so that the
policy dares to try.
Formula: 1 if the last attempt is correct, −0.5 if it gives an answer that is not, −1 if it gives none. It holds
correctness already; it stands alone. The attempts come from `rollouts: {kind: multi_attempt}`; without them each
completion is the only attempt.
Reward hacking: an answer of any kind is half a point better than none, and a correct third try as good as a first.
Example: `rewards: [{kind: multi_attempt}]` with `rollouts: {kind: multi_attempt}`
"""

from typing import Literal

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class MultiAttempt(Reward):
    """Gives 1 where the last attempt is correct, −0.5 where it answers incorrectly, −1 where it does not answer."""

    kind: Literal["multi_attempt"] = "multi_attempt"

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        otherwise = batch.correct.new_tensor([-1.0 if answer is None else -0.5 for answer in batch.answers])
        return batch.where_graded(otherwise.where(batch.correct != 1, 1.0))
