"""Pays a correct answer the less the likelier it was beside the others of its group.

Why: Rewarding the Unlikely (arXiv 2506.02355): GRPO makes likely solutions likelier and forgets rare ones, so that more
samples solve no more problems; a rare correct one is paid more.
Formula: c · (1 − beta · (G − rank)/G), rank 0 for the likeliest completion of the group, by the sum of its tokens'
log-probabilities; those equal up to 0.001 share the lower rank; G counts the graded ones. Incorrect: 0. It holds
correctness already, which it multiplies: it stands in the place of `correctness`, and beside it has half of its effect.
Reward hacking: more tokens are less likely, so length pays, and so does anything odd before the answer; beta bounds it.
Example: `rewards: [{kind: unlikeliness}]`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor

EQUAL = 1e-3
"""Log-probabilities so near each other are those of one text, computed in another order."""


class Unlikeliness(Reward):
    """Gives 1 for the least likely correct answer of a group, and less for each likelier one."""

    tells_correct_apart: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"logp"})

    kind: Literal["unlikeliness"] = "unlikeliness"
    beta: float = Field(0.25, ge=0, lt=1)
    """The most that being likely can cost."""

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        likely = batch.in_groups(batch.where_graded(batch.logp.sum(dim=1)))
        rank = (likely[:, None, :] > likely[:, :, None] + EQUAL).sum(dim=2)
        count = (~likely.isnan()).sum(dim=1, keepdim=True).clamp(min=1)
        return batch.correct * (1 - self.beta * (count - rank) / count).view(-1)
