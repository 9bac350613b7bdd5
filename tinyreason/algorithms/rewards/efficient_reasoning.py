"""Pays a correct answer the less the longer it is beside the group's other correct answers.

Why: Training Language Models to Reason Efficiently (Arora & Zanette, arXiv 2502.04463), with RLOO, no group scaling.
Formula: c · (1 − α·σ((L − mean)/(std + 1e-7))), mean and std over the group's correct answers; incorrect or truncated:
0. It holds correctness already; it stands alone.
Reward hacking: hardly; an incorrect answer never gains. Past the shortest reasoning that still works, luck decides.
Example: `rewards: [{kind: efficient_reasoning, alpha: 0.2}]`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class EfficientReasoning(Reward):
    """Gives 1 for a correct answer, less up to α by its length among the group's correct answers."""

    reads_length: ClassVar[bool] = True

    kind: Literal["efficient_reasoning"] = "efficient_reasoning"
    alpha: float = Field(0.1, ge=0, lt=1)
    """α, the most that length can cost; the paper uses 0.05, 0.1, 0.2 and 0.4."""

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        finished = batch.correct_lengths_P_G.where(~batch.in_groups(batch.truncated), float("nan"))
        away = finished - finished.nanmean(dim=1, keepdim=True)
        std = away.square().nanmean(dim=1, keepdim=True).sqrt()
        earned = 1 - self.alpha * (away / (std + 1e-7)).sigmoid()
        return batch.where_graded(earned.nan_to_num(0.0).view(-1))
