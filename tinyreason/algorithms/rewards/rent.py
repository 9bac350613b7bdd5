"""Pays for being sure; it reads no gold answer, and whoever is sure of anything earns it.

Why: RENT, reinforcement learning via entropy minimisation (arXiv 2505.22660): a model that is mostly correct is surer
where it is correct, so that its own certainty can stand for a grade. Here a control: what it gains is sharpening.
Formula: −(mean entropy of the completion's tokens, in nats).
Reward hacking: any text of which the model is sure earns the most there is, 0: one constant answer, a loop, an early
end. Nothing in it holds training to correct answers, and where something incorrect is surer it collapses onto that;
have a validation set, and stop before.
Example: `rewards: [{kind: rent}]` with `validation: {problems: 64, every_steps: 5}`
"""

from typing import ClassVar, Literal

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class Rent(Reward):
    """Gives the less the less sure the model was of its tokens: a control."""

    reads_gold: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"entropy"})

    kind: Literal["rent"] = "rent"

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        return -batch.token_mean(batch.entropy)
