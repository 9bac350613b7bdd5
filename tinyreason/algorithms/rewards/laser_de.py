"""Rewards as LASER-D, and gives an incorrect answer beyond the target the bonus too, unless it ends in a loop.

Why: LASER-DE (arXiv 2505.15612): on problems it cannot solve yet the model may explore longer.
Formula: as `laser_d` + 0.5 if incorrect, L > L_T, well formed, and not ending in a loop (the paper looks for repeated
n-grams). A correct answer of the same length still earns more: 1 against 0. It holds correctness already; it stands
alone.
Reward hacking: a long incorrect answer is better than a short incorrect one, so a model that is often incorrect learns
length.
Example: `rewards: [{kind: laser_de}]`
"""

from typing import Literal

from tinyreason.algorithms.rewards._laser import BONUS, INCORRECT, Monitor, brief, repeats_itself
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class LaserDe(Monitor):
    """Rewards as LASER-D, with the bonus for long incorrect answers too."""

    kind: Literal["laser_de"] = "laser_de"

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        target = self.targets(batch, store)
        earned = brief(batch, target)
        earned += BONUS * ((earned == INCORRECT) & (batch.length > target) & ~repeats_itself(batch))
        self.observe(batch, store)
        return earned
