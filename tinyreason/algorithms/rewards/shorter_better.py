"""Pays for a correct answer near the length of the group's shortest correct one.

Why: ShorterBetter (arXiv 2504.21370): the model's own shortest correct sample says how long is long enough.
Formula: 2c − β·|L − L*|, β = 0.001; L* = the shortest correct answer of the group, else the group's mean length.
It holds correctness already; it stands alone.
Reward hacking: in groups without a correct answer it pulls to the mean, correct or incorrect; β is per token, so on
short completions it must be larger, on very long ones smaller, or length outweighs the answer.
Example: `rewards: [{kind: shorter_better}]`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class ShorterBetter(Reward):
    """Takes from twice correctness β for each token away from the group's shortest correct answer."""

    reads_length: ClassVar[bool] = True

    kind: Literal["shorter_better"] = "shorter_better"
    beta: float = Field(0.001, gt=0)
    """β, what a token away from the shortest correct answer costs."""

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        lengths, correct = batch.lengths_P_G, batch.correct_lengths_P_G
        shortest = correct.nan_to_num(float("inf")).amin(dim=1, keepdim=True)
        best = shortest.where(shortest.isfinite(), lengths.mean(dim=1, keepdim=True))
        return 2 * batch.correct - self.beta * (lengths - best).abs().view(-1)
