"""Asks the class of problems that lately moved the model most: a bandit whose gain is the size of the advantages.

Why: SEC, self-evolving curriculum (arXiv 2505.14970): learning happens where advantages are large.
Formula: for each class Q ← 0.5·Q + 0.5·x, x = the mean of |A| over its rollouts of the step, 0 where it was not asked;
Q begins at 0; a problem's class is chosen by softmax(Q / τ), τ = 1 (the paper: 0.4 for mathematics, 0.2 for puzzles).
How it fails: with an advantage that is not divided by the group's standard deviation, classes with large rewards win.
Example: `samplers: [{kind: sec_bandit, by: family, temperature_of_choice: 0.4}]`
"""

from typing import Literal

from pydantic import Field

from tinyreason.algorithms.samplers._arms import ArmSampler, softmax
from tinyreason.algorithms.samplers._sampler import rows_by_problem
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class SecBandit(ArmSampler):
    """Chooses classes by a moving mean of the size of their advantages."""

    kind: Literal["sec_bandit"] = "sec_bandit"
    temperature_of_choice: float = Field(1.0, gt=0)
    """τ: small = the best class nearly always, large = all alike."""
    memory: float = Field(0.5, ge=0, lt=1)
    """How much of Q remains at each step."""

    def weights(self, arms: list[str], store: Store) -> list[float]:
        return softmax([store.get(self.kind, f"Q {arm}", 0.0) for arm in arms], self.temperature_of_choice)

    def observe(self, batch: Batch, advantages: Tensor, store: Store) -> None:
        sizes: dict[str, list[float]] = {}
        for example, rows in rows_by_problem(batch):
            sizes.setdefault(self.arm(example), []).append(float(advantages[rows].abs().mean()))
        self.remember_arms({*sizes}, store)
        for arm in store.get(self.kind, "arms"):
            found = sum(sizes[arm]) / len(sizes[arm]) if arm in sizes else 0.0
            store.put(
                self.kind,
                f"Q {arm}",
                self.memory * store.get(self.kind, f"Q {arm}", 0.0) + (1 - self.memory) * found,
            )
