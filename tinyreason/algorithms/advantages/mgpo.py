"""Weights what an estimator says by how near the problem is to being solved half the time.

Why: problems that are nearly always or nearly never solved teach little: MGPO, max-entropy guided policy optimisation,
of VibeThinker (arXiv 2511.06221).
Formula: A_i · exp(−lam·D(p)), D = p ln(2p) + (1 − p) ln(2(1 − p)), 0 at p = 1/2 and ln 2 at 0 and 1; p the share of
correct ones among the graded rollouts of the group. A group of which none was graded stays as it is.
Not checked against the paper: lam, which it does not state.
Reward hacking: not by the model; a problem that is hardly ever solved is learnt more slowly.
Example: `advantage: [{kind: grpo}, {kind: mgpo}]`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class Mgpo(Advantage):
    """Weights the advantages of a group most where half of its completions are correct."""

    role: ClassVar[str] = "shaper"
    reads_gold: ClassVar[bool] = True

    kind: Literal["mgpo"] = "mgpo"
    lam: float = Field(1.0, ge=0)
    """How steeply the weight falls on both sides of a pass rate of one half; 0 = not at all."""

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        rate = batch.pass_rate
        away = rate.xlogy(2 * rate) + (1 - rate).xlogy(2 * (1 - rate))
        weight = (-self.lam * away).exp().nan_to_num(1.0)
        return advantages * (weight if advantages.dim() == 1 else weight[:, None])
