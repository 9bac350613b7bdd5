"""Warms the rollouts where the model is too sure of its tokens, and cools them where it is too unsure.

Why: training makes a model sure and its rollouts alike; a temperature that holds the entropy keeps groups different.
Formula: T ← T · exp(0.1 · (0.3 − H)), inside [0.6, 1.4]; H = the mean entropy of the sampled tokens in nats at T. The
target of 0.3 is AceReason-Nemotron 1.1's (arXiv 2506.13284), who set T by hand; this controller is our own.
How it fails: a hot rollout is graded, not the greedy completion that users ask for; the evaluation's temperature stays.
Example: `samplers: [{kind: entropy_temperature}]`
"""

import math
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.samplers._sampler import Sampler
from tinyreason.rollout import Batch
from tinyreason.store import Store


class EntropyTemperature(Sampler):
    """Moves the rollouts' temperature so that the entropy of their tokens stays near a target."""

    needs: ClassVar[frozenset[str]] = frozenset({"entropy"})

    kind: Literal["entropy_temperature"] = "entropy_temperature"
    target: float = Field(0.3, gt=0)
    """The entropy that is held, in nats a token."""
    rate: float = Field(0.1, gt=0)
    """How fast the temperature follows."""
    lowest: float = Field(0.6, gt=0)
    """Lowest temperature."""
    highest: float = Field(1.4, gt=0)
    """Highest temperature."""

    def check(self, run, path: str) -> None:
        if not self.lowest <= run.train.temperature <= self.highest:
            raise ValueError(
                f"{path} moves the temperature between {self.lowest:g} and {self.highest:g}, and "
                f"train.temperature={run.train.temperature:g} is not between them"
            )

    def temperature(self, now: float, batch: Batch, store: Store) -> float:
        entropy = float(batch.entropy[batch.mask].mean())
        return min(max(now * math.exp(self.rate * (self.target - entropy)), self.lowest), self.highest)
