"""Asks the class of problems whose rewards of late are furthest below a target.

Why: RuleReasoner's domain-aware dynamic sampling (arXiv 2506.08672): what is weak is practised more.
Formula: m = the mean over the rewards of a class's last four batches, times 1, 1/2, 1/3, 1/4, the newest first; target
(25/12)/4 = 0.5208, which is a reward of 1 throughout; w = softmax(max(0, target − m) / 0.3), renewed every 8 steps.
How it fails: a class that cannot be learned is furthest below for good, and takes all the time.
Example: `samplers: [{kind: domain_deficit_weights, by: family}]`
"""

from typing import Literal

from pydantic import Field

from tinyreason.algorithms.samplers._arms import ArmSampler, softmax
from tinyreason.algorithms.samplers._sampler import rows_by_problem
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor

BATCHES = 4
TARGET = sum(1 / place for place in range(1, BATCHES + 1)) / BATCHES


class DomainDeficitWeights(ArmSampler):
    """Chooses classes by how far their rewards are below a target."""

    kind: Literal["domain_deficit_weights"] = "domain_deficit_weights"
    temperature_of_choice: float = Field(0.3, gt=0)
    """Small = the weakest class nearly always."""
    every_steps: int = Field(8, ge=1)
    """Steps from one renewal of the weights to the next."""

    def weights(self, arms: list[str], store: Store) -> list[float]:
        held = store.get(self.kind, "deficits", {})
        return softmax([held.get(arm, TARGET) for arm in arms], self.temperature_of_choice)

    def observe(self, batch: Batch, advantages: Tensor, store: Store) -> None:
        found: dict[str, list[float]] = {}
        for example, rows in rows_by_problem(batch):
            rewards = [value for value in batch.reward[rows].tolist() if value == value]
            found.setdefault(self.arm(example), []).extend(rewards)
        for arm, rewards in found.items():
            kept = [rewards, *store.get(self.kind, f"rewards {arm}", [])][:BATCHES]
            store.put(self.kind, f"rewards {arm}", kept)
        self.remember_arms({*found}, store)
        if batch.step % self.every_steps == 0:
            arms = store.get(self.kind, "arms")
            store.put(self.kind, "deficits", {arm: self.deficit(arm, store) for arm in arms})

    def deficit(self, arm: str, store: Store) -> float:
        """Returns how far a class is below the target, 0 where it is above."""
        batches = store.get(self.kind, f"rewards {arm}", [])
        rewards = [reward / place for place, held in enumerate(batches, start=1) for reward in held]
        return max(0.0, TARGET - sum(rewards) / len(rewards)) if rewards else TARGET
