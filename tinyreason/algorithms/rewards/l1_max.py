"""Pays for a correct answer no longer than the prompt allows; the margin below the limit earns a little more.

Why: L1-Max (arXiv 2503.04697), the second stage of L1: a budget, not a target.
Formula: c · clip(α(n − L) + δ, 0, 1), α = 0.0003, δ = 0.5; n from `target_tokens`, named in the prompt ("Think for
maximum n tokens."). It holds correctness already; it stands alone.
Reward hacking: where α is small against 1/n it is flat, and tells long from short only faintly.
Example: `rewards: [{kind: l1_max, target_tokens: 1000}]`
"""

from typing import Literal

from pydantic import Field

from tinyreason.algorithms.rewards._token_target import TokenTarget
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class L1Max(TokenTarget):
    """Multiplies correctness by how far the completion stays below the target."""

    kind: Literal["l1_max"] = "l1_max"
    alpha: float = Field(0.0003, gt=0)
    """α, what a token below the target adds."""
    delta: float = Field(0.5, ge=0, le=1)
    """δ, what a correct answer of the target's length earns."""
    suffix: str = " Think for maximum {n} tokens."
    """What the prompt ends in; empty = the prompt is left alone."""

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        return batch.correct * (self.alpha * (self.targets(batch) - batch.length) + self.delta).clamp(0.0, 1.0)
