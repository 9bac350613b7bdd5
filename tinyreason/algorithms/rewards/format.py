"""Gives 1 if the completion reasons first and then gives one boxed answer, whatever the answer is.

Why: separates learning to answer in the asked form from learning to be correct; alone, it is the control that 1-shot
RLVR runs beside its gain (arXiv 2504.20571, format reward only).
Formula: 1 if `</think>` occurs once and exactly one `\\boxed{` follows it, else 0.
Reward hacking: an empty reasoning block earns full marks.
Example: `rewards: [{kind: correctness}, {kind: format, weight: 0.2}]`
"""

from typing import Literal

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class Format(Reward):
    """Gives 1 if the completion reasons first and then gives one boxed answer, whatever the answer is."""

    kind: Literal["format"] = "format"

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        return batch.correct.new_tensor([float(is_formatted(text)) for text in batch.texts])


def is_formatted(text: str) -> bool:
    """Returns whether the reasoning is closed once and one box follows it."""
    reasoning, closed, answer = text.partition("</think>")
    return bool(closed) and "</think>" not in answer and "\\boxed{" not in reasoning and answer.count("\\boxed{") == 1
