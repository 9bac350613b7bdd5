"""Places each completion between the group's shortest, +0.5, and its longest, −0.5. An addition to correctness.

Why: the length penalty of Kimi k1.5 (arXiv 2501.12599), there warmed up gradually: give it an `anneal`.
Formula: λ = 0.5 − (L − L_min)/(L_max − L_min) over the group; correct: λ; incorrect: min(0, λ); 0 if all are as long.
Reward hacking: lengths count beside the group's alone, so ever shorter pays for ever; in groups that differ by a
token the full ±0.5 is dealt out.
Example: `rewards: [{kind: correctness}, {kind: kimi_length, weight: 0.4, anneal: {start: 0, end: 1, steps: 20}}]`
"""

from typing import ClassVar, Literal

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class KimiLength(Reward):
    """Gives +0.5 for the group's shortest completion, down to −0.5 for its longest; incorrect ones gain nothing."""

    reads_length: ClassVar[bool] = True

    kind: Literal["kimi_length"] = "kimi_length"

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        lengths = batch.lengths_P_G
        low, high = lengths.amin(dim=1, keepdim=True), lengths.amax(dim=1, keepdim=True)
        rank = 0.5 - (lengths - low) / (high - low).clamp(min=1.0)
        rank = rank.where(high > low, 0.0).view(-1)
        return batch.where_graded(rank.where(batch.correct == 1, rank.clamp(max=0.0)))
