"""Pays an answer by how many of the group agree with it; it reads no gold answer.

Why: EMPO (arXiv 2504.05812): a model that is mostly correct can train on problems without labels, by making its own
answers agree (lower semantic entropy). `majority: true` is TTRL (arXiv 2504.16084): the largest cluster is taken for
correct.
Formula: equal answers of a group are one cluster; the reward is its size/G, 0 without an answer, which is a cluster of
its own; 0 for all where no two agree (entropy of the clusters, over all G, = ln G). With `majority`: 1 in the largest
cluster (of equals the one seen first), else 0. Equal is the same text, number, date or word; formulas are equal only
where they are written alike, as nothing here asks Math-Verify. Answers are those that grading found, which looks at
what kind of thing the gold answer is where a completion marks none or several.
Reward hacking: one constant answer to everything earns 1 in every group; the reward rises and the validation falls, so
have one.
Example: `rewards: [{kind: empo_cluster}]`, or `tinyreason recipe empo`
"""

from typing import ClassVar, Literal

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.grading.clusters import clusters_of
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class EmpoCluster(Reward):
    """Gives the share of the group that has the same answer, or 1 where that is the most frequent one."""

    reads_gold: ClassVar[bool] = False

    kind: Literal["empo_cluster"] = "empo_cluster"
    majority: bool = False
    """Whether the most frequent answer earns 1 and every other 0 (TTRL), in place of the share."""

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        size = batch.group_size
        groups = [batch.answers[at : at + size] for at in range(0, len(batch.answers), size)]
        return batch.correct.new_tensor([value for group in groups for value in self.of_group(group)])

    def of_group(self, answers: list[str | None]) -> list[float]:
        """Returns what each answer of one group earns."""
        clusters = clusters_of(answers)
        sizes = {name: clusters.count(name) for name in clusters if name is not None}
        most = max(sizes.values(), default=0)
        if most < 2:
            return [0.0] * len(answers)
        if self.majority:
            winner = next(name for name in clusters if sizes.get(name) == most)
            return [float(name == winner) for name in clusters]
        return [sizes.get(name, 0) / len(answers) for name in clusters]
