"""Rewards as LASER, with a target length for each difficulty that follows what the model can do.

Why: LASER-D (arXiv 2505.15612): easy problems deserve fewer tokens than hard ones, and less as training proceeds.
Formula: as `laser_length` with L_T of the group's difficulty: p ≥ 2/3 easy, ≥ 1/3 medium, else hard. L_T = the
smallest threshold (from a lower bound in equal steps to the limit) with int(coverage · C) ≥ 1; coverage = the share
of the difficulty's rollouts within it, correct or incorrect, as released; C = 5, 2, 1 at G = 8, here int(2/3 · G),
int(1/3 · G), 1. Estimated anew every 20 steps; until the first time L_T is the limit. It holds correctness already; it
stands alone. Its memory is in every checkpoint.
Translated: the paper asks 500 problems apart to estimate, here the training's own rollouts since the last estimate are
read; its thresholds of 1,024 tokens are here shares of the limit.
Reward hacking: a few short lucky answers pull an easy target down for all.
Example: `rewards: [{kind: laser_d, lowest_share: 0.0625}]`
"""

from typing import Literal

from tinyreason.algorithms.rewards._laser import Monitor, brief
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class LaserD(Monitor):
    """Rewards as LASER, with a target for each difficulty that follows the model."""

    kind: Literal["laser_d"] = "laser_d"

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        earned = brief(batch, self.targets(batch, store))
        self.observe(batch, store)
        return earned
