"""Trains for one correct answer among k, not for each to be correct.

Why: a model trained for the single answer stops trying others; pass@k training (arXiv 2508.10751) rewards a group of k
for its best, averaged here in closed form over all groups of k of the rollouts.
Formula: of n graded rollouts w are incorrect; R = 1 − C(w, k)/C(n, k), s = sqrt(R(1 − R)). Correct: (1 − R)/s.
Incorrect: (1 − R − C(w − 1, k − 1)/C(n − 1, k − 1))/s. s = 0, so fewer than k incorrect or none correct: 0. It reads
correctness alone, never the shaped reward: length and format rewards change nothing.
Reward hacking: k different guesses are paid for one that hits; on problems with few possible answers it learns to
spread them. The paper ends with ordinary training.
Example: `advantage: {kind: pass_at_k, k: 4}` with `train: {group_size: 16}`
"""

from math import comb
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class PassAtK(Advantage):
    """Says how much a rollout adds to the chance that one of k is correct."""

    reads_correctness_alone: ClassVar[bool] = True
    reads_gold: ClassVar[bool] = True

    kind: Literal["pass_at_k"] = "pass_at_k"
    k: int = Field(4, ge=1)
    """Number of completions of which one is to be correct; 1 = each."""

    def check(self, run, path: str) -> None:
        if self.k >= run.train.group_size:
            raise ValueError(
                f"{path}.k={self.k} leaves nothing to compare in a group of {run.train.group_size}; give fewer, or "
                f"raise train.group_size"
            )

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        correct = batch.in_groups(batch.correct)
        counts = zip((~correct.isnan()).sum(dim=1).tolist(), (correct == 0).sum(dim=1).tolist(), strict=True)
        ups, downs = zip(*(advantages_of(graded, incorrect, self.k) for graded, incorrect in counts), strict=True)
        up, down = (batch.correct.new_tensor(values)[:, None] for values in (ups, downs))
        return (correct * up + (1 - correct) * down).nan_to_num(0.0).view(-1)


def advantages_of(graded: int, incorrect: int, k: int) -> tuple[float, float]:
    """Returns the advantage of a correct rollout and of an incorrect one, in a group with so many of them."""
    if not k <= incorrect < graded:  # any k have a correct one among them, or none has
        return 0.0, 0.0
    share = comb(incorrect, k) / comb(graded, k)
    std = (share * (1 - share)) ** 0.5
    return share / std, (share - comb(incorrect - 1, k - 1) / comb(graded - 1, k - 1)) / std
