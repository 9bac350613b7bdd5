"""Compares each rollout with a running mean of the rewards of its kind of problem, not with a group.

Why: SPIRAL's role-conditioned advantage estimation: which reward is usual differs between the tasks and between roles
in one, so each has a baseline of its own; here any field of the problems may say the class, as `level` or `domain`.
Formula: A = r − b of the rollout's class, b as it was before it; then b ← memory · b + (1 − memory) · r, rollout by
rollout, and b begins at 0. Rollouts that cannot be graded (nan) get 0 and change nothing. With `by: null` all problems
are one class: REINFORCE with a running mean. A group may be small, 2 at least.
Not here: self-play, in which two rollouts of the policy are each other's opponents.
How it fails: until b has come up, everything that is not 0 is praised; after 20 rollouts of a class it is at 64 %.
Example: `advantage: {kind: spiral_role_baseline, by: level}` with `train: {group_size: 2}`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class SpiralRoleBaseline(Advantage):
    """Takes from each reward the running mean of its class of problems."""

    of_group_alone: ClassVar[bool] = False
    has_baseline: ClassVar[bool] = False

    kind: Literal["spiral_role_baseline"] = "spiral_role_baseline"
    by: str | None = None
    """The field of a problem's `meta` that is its class; those without it are one, and null = all are one."""
    memory: float = Field(0.95, ge=0, lt=1)
    """How much of the mean remains at each rollout."""

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        found = []
        for example, reward in zip(batch.examples, batch.reward.tolist(), strict=True):
            name = str(example.meta.get(self.by, "")) if self.by else ""
            usual = store.get(self.kind, name, 0.0)
            is_graded = reward == reward
            found.append(reward - usual if is_graded else 0.0)
            if is_graded:
                store.put(self.kind, name, self.memory * usual + (1 - self.memory) * reward)
        return batch.reward.new_tensor(found)
