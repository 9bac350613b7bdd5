"""Trains on the groups that are neither too easy nor too hard, by their share of correct rollouts.

Why: a group that is nearly always solved or never teaches little and noisily; bands such as 0.25 to 0.75 are common.
Formula: a group is kept where low ≤ p ≤ high, p its share of correct rollouts; one that cannot be graded is not kept.
The band is not checked against a paper. Reads correctness, never the shaped reward.
How it fails: where the model is far from the band, nothing is left, and the step trains on nothing
(`sampler/share_kept` in metrics.jsonl is 0); with `train.oversample` more groups are sampled than are needed.
Example: `samplers: [{kind: balanced_filter}]` with `train: {oversample: 2}`
"""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from tinyreason.algorithms.samplers._sampler import Sampler
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class BalancedFilter(Sampler):
    """Keeps the groups whose share of correct rollouts lies in a band."""

    reads_gold: ClassVar[bool] = True
    drops_even_groups: ClassVar[bool] = True

    kind: Literal["balanced_filter"] = "balanced_filter"
    low: float = Field(0.25, ge=0, le=1)
    """Least share of correct rollouts."""
    high: float = Field(0.75, ge=0, le=1)
    """Greatest share of correct rollouts."""

    @model_validator(mode="after")
    def band_is_open(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low={self.low:g} is above high={self.high:g}; no group can be kept")
        return self

    def keep(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        return (batch.pass_rate >= self.low) & (batch.pass_rate <= self.high)
