"""Leaves out of the gradient a few of the tokens that would make the model surer fastest.

Why: The Entropy Mechanism (arXiv 2505.22617): entropy falls with the covariance of advantage and log-probability, and
few tokens make up most of it. Clip-Cov detaches a few of those; with clip-higher its aim is that entropy lasts.
Formula: cov_t = (A_t − mean A)(log p_t − mean log p), means over all tokens of the batch. Of the tokens with low <
cov_t < high, max(⌊share · tokens⌋, 1) at random get A_t = 0; the random numbers follow from seed and step.
How it fails: with advantages that are not divided by the standard deviation hardly a token has a covariance above 1.
Example: `advantage: [{kind: grpo}, {kind: clip_cov}]`
"""

from random import Random
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.algorithms.advantages._covariance import covariances
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class ClipCov(Advantage):
    """Gives no advantage to a few tokens that are likely and better than the others, or unlikely and worse."""

    role: ClassVar[str] = "shaper"
    of_group_alone: ClassVar[bool] = False
    one_update: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"logp"})

    kind: Literal["clip_cov"] = "clip_cov"
    share: float = Field(2e-4, gt=0, le=1)
    """Share of the batch's tokens that is left out; at least one is."""
    low: float = 1.0
    """Covariance above which a token may be left out."""
    high: float = 5.0
    """Covariance below which a token may be left out."""
    seed: int = Field(0, ge=0)
    """Seed of the choice."""

    @model_validator(mode="after")
    def band_is_open(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low={self.low:g} is not below high={self.high:g}; no token can be left out")
        return self

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        found = batch.over_tokens(advantages)
        cov, counted = covariances(batch, found)
        places = (counted & (cov > self.low) & (cov < self.high)).nonzero().tolist()
        most = max(int(self.share * int(counted.sum())), 1)
        for row, token in Random(f"{self.seed}/{batch.step}").sample(places, min(most, len(places))):
            found[row, token] = 0.0
        return found
