"""Asks the class of problems with the largest advantages of late, and now and then one that is little known.

Why: DUMP (arXiv 2504.09710): an upper confidence bound over the sources of a mixed data set.
Formula: a class scores the mean of its last 300 |A| + √(2 ln(N + 1) / (n + 1)), n its rollouts so far, N those of all;
it is chosen by softmax(score / 0.1).
How it fails: as sec_bandit; a class with noisy rewards has large advantages and teaches nothing.
Example: `samplers: [{kind: dump_ucb, by: family}]`
"""

import math
from typing import Literal

from pydantic import Field

from tinyreason.algorithms.samplers._arms import ArmSampler, softmax
from tinyreason.algorithms.samplers._sampler import rows_by_problem
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class DumpUcb(ArmSampler):
    """Chooses classes by an upper confidence bound of the size of their advantages."""

    kind: Literal["dump_ucb"] = "dump_ucb"
    window: int = Field(300, ge=1)
    """How many of a class's last rollouts its mean is over."""
    temperature_of_choice: float = Field(0.1, gt=0)
    """Small = the class with the highest score nearly always."""

    def weights(self, arms: list[str], store: Store) -> list[float]:
        seen = [store.get(self.kind, f"rollouts {arm}", 0) for arm in arms]
        total = max(sum(seen), 1)
        scores = []
        for arm, count in zip(arms, seen, strict=True):
            sizes = store.get(self.kind, f"sizes {arm}", [])
            mean = sum(sizes) / len(sizes) if sizes else 0.0
            scores.append(mean + math.sqrt(2 * math.log(total + 1) / (count + 1)))
        return softmax(scores, self.temperature_of_choice)

    def observe(self, batch: Batch, advantages: Tensor, store: Store) -> None:
        for example, rows in rows_by_problem(batch):
            arm = self.arm(example)
            sizes = advantages[rows].abs().view(batch.group_size, -1).mean(dim=1).tolist()
            store.put(self.kind, f"sizes {arm}", (store.get(self.kind, f"sizes {arm}", []) + sizes)[-self.window :])
            store.put(self.kind, f"rollouts {arm}", store.get(self.kind, f"rollouts {arm}", 0) + batch.group_size)
            self.remember_arms({arm}, store)
