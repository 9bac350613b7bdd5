"""Pays for a correct answer less with each try before it, and takes off for answers that were given before.

Why: UFO, unary feedback as observation (arXiv 2507.14295): told only that it is incorrect, a policy tends to say the
same again; decay asks for an early answer, the penalty for a new one.
Formula: 0.5^t where the try with number t = 0, 1, … is correct, else 0; less 0.5 · (1 − d/v), v how many tries gave an
answer and d how many different ones, in lower case and without spaces around. The tries come from `rollouts: {kind:
multi_attempt, least: 5}`. It holds correctness already; it stands alone.
Reward hacking: five different guesses cost nothing.
Example: `rewards: [{kind: ufo_retry}]` with `rollouts: {kind: multi_attempt, least: 5}`
"""

from typing import ClassVar, Literal

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class UfoRetry(Reward):
    """Halves what a correct answer earns with each try before it, and takes off up to a half for repeated answers."""

    needs_rollouts: ClassVar[str | None] = "multi_attempt"

    kind: Literal["ufo_retry"] = "ufo_retry"

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        tries = [facts["answers"] for facts in batch.facts] or [[answer] for answer in batch.answers]
        decay = batch.correct.new_tensor([0.5 ** (len(answers) - 1) for answers in tries])
        return batch.where_graded(batch.correct * decay - 0.5 * batch.correct.new_tensor(list(map(repeated, tries))))


def repeated(answers: list[str | None]) -> float:
    """Returns the share of the answers that were given before; 0 where there is none."""
    given = [answer.strip().lower() for answer in answers if answer is not None]
    return 1 - len(set(given)) / len(given) if given else 0.0
