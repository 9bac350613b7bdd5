"""Normalises each reward in its group before they are added, so that the one that varies most drowns no other.

Why: of the sum of several rewards GRPO cannot tell which of them differs; GDPO, group reward-decoupled normalisation
policy optimisation (arXiv 2601.05242), gives each its own units.
Formula: z_k = (r_k − mean_group(r_k)) / (std_group(r_k) + 1e-6) for each reward k; x = Σ weight_k · z_k; A = x / (std
of x over the batch + 1e-6), as the mean of x is 0. A reward that cannot grade a rollout (nan) adds 0 there; a rollout
that none could grade counts nowhere and gets 0.
Reward hacking: at equal weights a reward for the format or for length weighs as much as correctness, whatever its size;
where all completions of the batch are correct it is all that is learnt, at full size. Give it a small weight.
Example: `advantage: {kind: gdpo}` with `rewards: [{kind: correctness}, {kind: format, weight: 0.5}]`
"""

from collections.abc import Iterator
from typing import ClassVar, Literal

from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class Gdpo(Advantage):
    """Adds up the rewards, each in its own group's standard deviations, and divides by the batch's."""

    of_group_alone: ClassVar[bool] = False

    kind: Literal["gdpo"] = "gdpo"

    def caveats(self, run) -> Iterator[str]:
        if len(run.rewards) == 1:
            yield "advantage gdpo with one reward is grpo, divided by the batch's standard deviation; give it several"

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        summed = sum(
            batch.weights[kind] * batch.z_scores(batch.in_groups(values)) for kind, values in batch.values.items()
        )
        summed = summed.where(~batch.reward.isnan(), float("nan"))
        _, std = batch.deviations(summed.view(1, -1))
        return (summed / (std[0] + 1e-6)).nan_to_num(0.0)
