"""Raises the advantage of a correct completion that the model thought less likely than the others of its group.

Why: the advantage sharpening of XRPO (arXiv 2510.06672): a rare correct way is worth more than the usual one. Its
allocation of rollouts and its exemplars are left out.
Formula: s_i the mean log-probability of a completion's tokens, η_i = exp(s_i − mean of the group). Correct and A_i > 0:
A_i + min(max(lam · (1 − η_i), 0), cap · A_i). All others stay as they are.
Not checked against the paper: lam and cap.
Reward hacking: an answer guessed after unlikely tokens is paid for them; cap holds that to a part of the advantage.
Example: `advantage: [{kind: grpo}, {kind: xrpo}]`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class Xrpo(Advantage):
    """Adds to the advantage of correct completions by how unlikely they were beside their group."""

    role: ClassVar[str] = "shaper"
    reads_gold: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"logp"})

    kind: Literal["xrpo"] = "xrpo"
    lam: float = Field(1.0, ge=0)
    """How much is added for what is unlikely."""
    cap: float = Field(0.5, ge=0)
    """The most that is added, as a share of the advantage."""

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        likely, _ = batch.deviations(batch.in_groups(batch.where_graded(batch.token_mean(batch.logp))))
        bonus, correct = self.lam * (1 - likely.view(-1).exp()), batch.correct == 1
        if advantages.dim() == 2:
            bonus, correct = bonus[:, None], correct[:, None]
        return advantages + bonus.clamp(min=0).minimum(self.cap * advantages.clamp(min=0)).where(correct, 0.0)
