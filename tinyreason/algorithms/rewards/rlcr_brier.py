"""Pays for being correct and for knowing it: the model writes how sure it is, and a proper score holds it to that.

Why: RLCR, reinforcement learning with calibration rewards (arXiv 2507.16806): accuracy alone pays for guessing surely.
Formula: 0.5·f + 0.5·c + 0.5·(1 − (q − c)²); f = 1 where `<think>`, `<answer>` and `<confidence>` open and close once
each in this order and q, the number in the last, is from 0 to 1; where f = 0 all is 0. The Brier score is proper: of
all q the honest probability earns most. It holds correctness already; it stands alone. The prompt has to ask for the
tags: `prompt: confidence`. The evaluation then says Brier score, calibration error (ECE) and AUROC.
Reward hacking: a model that is nearly always correct earns as much by q = 1 throughout; AUROC tells.
Example: `rewards: [{kind: rlcr_brier}]`, or `tinyreason recipe rlcr`
"""

from typing import ClassVar, Literal

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.algorithms.rewards._tags import stand_once_in_order
from tinyreason.grading.confidence import read_confidence
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor

TAGS = ("think", "answer", "confidence")


class RlcrBrier(Reward):
    """Gives half a point each for the format, for a correct answer, and for a confidence that fits the outcome."""

    asks_for: ClassVar[str | None] = "confidence"

    kind: Literal["rlcr_brier"] = "rlcr_brier"
    is_thought_open: bool = False
    """Whether the chat template ends the prompt in `<think>`, so that a completion only closes it."""

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        sure = [
            read_confidence(text) if stand_once_in_order(text, *TAGS, is_thought_open=self.is_thought_open) else None
            for text in batch.texts
        ]
        q = batch.correct.new_tensor([float("nan") if one is None else one for one in sure])
        value = 0.5 + 0.5 * batch.correct + 0.5 * (1 - (q - batch.correct) ** 2)
        return batch.where_graded(value.nan_to_num(0.0))
