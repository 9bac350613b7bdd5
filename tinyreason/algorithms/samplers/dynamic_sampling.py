"""Trains on the groups whose rollouts differ in reward; the others teach nothing and only thin out the mean.

Why: DAPO's dynamic sampling (arXiv 2503.14476), which samples on until a batch is full; here `train.oversample` samples
once more than is needed, so that the time of a step is bounded, and what is missing is a metric.
Formula: a group is kept where its rewards are not all equal; those that cannot be graded do not count.
How it fails: a length reward makes nearly every group differ, also where all are correct; then nothing is filtered.
Example: `samplers: [{kind: dynamic_sampling}]` with `train: {oversample: 1.5}`
"""

from typing import ClassVar, Literal

from tinyreason.algorithms.samplers._sampler import Sampler
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class DynamicSampling(Sampler):
    """Keeps the groups whose rewards are not all equal."""

    drops_even_groups: ClassVar[bool] = True

    kind: Literal["dynamic_sampling"] = "dynamic_sampling"

    def keep(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        _, std = batch.deviations(batch.in_groups(batch.reward))
        return batch.in_rows(std > 1e-6)
