"""Pays for a correct answer as long as the prompt asked for: every token more or fewer costs.

Why: L1, length-controlled policy optimisation (arXiv 2503.04697): one model whose length the user sets in the prompt.
Formula: c − α·|n − L|, α = 0.0003 at 4,000 tokens; n from `target_tokens`, sampled for each problem where that is a
range, and named in the prompt ("Think for n tokens."). It holds correctness already; it stands alone.
Reward hacking: filler reaches n as well as thought does.
Example: `rewards: [{kind: l1_exact, target_tokens: [100, 4000]}]`
"""

from typing import Literal

from pydantic import Field

from tinyreason.algorithms.rewards._token_target import TokenTarget
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class L1Exact(TokenTarget):
    """Takes from correctness α for each token away from the target."""

    kind: Literal["l1_exact"] = "l1_exact"
    alpha: float = Field(0.0003, gt=0)
    """α, what a token away from the target costs."""
    suffix: str = " Think for {n} tokens."
    """What the prompt ends in; empty = the prompt is left alone."""

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        return batch.correct - self.alpha * (self.targets(batch) - batch.length).abs()
