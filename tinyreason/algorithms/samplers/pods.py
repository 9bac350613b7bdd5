"""Samples many rollouts and trains on the few of each group that differ most in reward: the best and the worst.

Why: PODS, policy optimisation with down-sampling (arXiv 2504.13818): sampling is cheap and parallel, training is not.
Formula: of each group the m rollouts with the greatest variance of reward, which are the i highest and the m − i lowest
for some i. The advantages are those of the whole group. Rollouts that cannot be graded are never kept.
How it fails: a group whose rewards are all equal still fills its m.
Example: `samplers: [{kind: pods}]` with `train: {oversample: 2}`
"""

from typing import Literal

from pydantic import Field

from tinyreason.algorithms.samplers._sampler import Sampler, rows_by_problem
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class Pods(Sampler):
    """Keeps the rollouts of each group whose rewards vary most."""

    kind: Literal["pods"] = "pods"
    rollouts: int | None = Field(None, ge=2)
    """m, how many of a group are trained on; null = its share of what is trained on, group_size / oversample."""

    def check(self, run, path: str) -> None:
        if self.rollouts is None and run.train.oversample == 1:
            raise ValueError(
                f"{path}: pods trains on a part of what is sampled; type train.oversample=2, or {path}.rollouts=M"
            )
        if self.rollouts and self.rollouts >= run.train.group_size:
            raise ValueError(f"{path}.rollouts={self.rollouts} keeps all of a group of {run.train.group_size}")

    def keep(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        count = self.rollouts or max(
            2, (batch.trained_rows or len(batch.examples)) * batch.group_size // len(batch.examples)
        )
        kept = batch.correct.new_zeros(len(batch.examples)).bool()
        for _, rows in rows_by_problem(batch):
            for row in most_varied(batch.reward[rows].tolist(), count):
                kept[rows.start + row] = True
        return kept


def most_varied(rewards: list[float], count: int) -> list[int]:
    """Returns the places of the `count` rewards of greatest variance; nan is left out."""
    from statistics import pvariance

    order = sorted((place for place, reward in enumerate(rewards) if reward == reward), key=lambda n: -rewards[n])
    if len(order) <= count:
        return order
    ways = [order[:best] + order[len(order) - (count - best) :] for best in range(count + 1)]
    return max(ways, key=lambda places: pvariance([rewards[place] for place in places]))
