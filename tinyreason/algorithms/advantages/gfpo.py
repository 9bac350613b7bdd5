"""Compares only the k shortest rollouts of each group with each other; the others get 0.

Why: GFPO, group filtered policy optimisation (arXiv 2508.09726): sample more, learn from the concise. It is not
a reward: the filter looks at length (or at correctness per token, never at the shaped reward), the advantage at it.
Formula: S = the k of the group first by `by`; A_i = (r_i − mean_S(r)) / (std_S(r) + 1e-6) inside S, 0 outside.
Rollouts that cannot be graded (nan) are never kept. Those level with the k-th are kept with it, so that the order in
which a group was sampled decides nothing.
Reward hacking: where short completions are mostly incorrect, the group that is kept has nothing correct to learn from;
sample groups of 16 or more, and start from a model that is mostly correct.
Example: `advantage: {kind: gfpo, keep: 4}` with `train: {group_size: 16}`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class Gfpo(Advantage):
    """Compares the shortest rollouts of each group with each other, and leaves the others out."""

    divides_by_std: ClassVar[bool] = True

    kind: Literal["gfpo"] = "gfpo"
    keep: int = Field(4, ge=2)
    """k, the number of rollouts that count in each group."""
    by: Literal["length", "token_efficiency"] = "length"
    """Which are kept: the shortest, or the correct ones first, the shortest of them before the others."""

    @property
    def reads_gold(self) -> bool:
        """Returns whether it looks at what is correct: only to say which are kept."""
        return self.by == "token_efficiency"

    def check(self, run, path: str) -> None:
        if self.keep >= run.train.group_size:
            raise ValueError(
                f"{path}.keep={self.keep} keeps all of a group of {run.train.group_size}; keep fewer, or raise "
                f"train.group_size"
            )

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        reward, lengths = batch.in_groups(batch.reward), batch.lengths_P_G
        order = lengths if self.by == "length" else -batch.in_groups(batch.correct) / lengths.clamp(min=1.0)
        order = order.where(~reward.isnan(), float("inf")).nan_to_num(float("inf"))
        last = order.kthvalue(min(self.keep, batch.group_size), dim=1, keepdim=True).values
        return batch.z_scores(reward.where(order <= last, float("nan")))
