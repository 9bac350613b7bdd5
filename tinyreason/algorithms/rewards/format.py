"""Gives 1 if the completion reasons first and then gives one boxed answer, whatever the answer is.

Why: separates learning to answer in the asked form from learning to be correct; alone, it is the control that 1-shot
RLVR runs beside its gain (arXiv 2504.20571, format reward only).
Formula: 1 if `</think>` occurs once and exactly one `\\boxed{` follows it, and none precedes it, else 0. With `box:
false`: 1 if `</think>` stands on a line of its own exactly once, wherever boxes are, as Tina and Open-RS reward it. Of
gpt-oss the end of the reasoning is the beginning of the channel `final`, after one of `analysis`.
Reward hacking: an empty reasoning block earns full marks.
Example: `rewards: [{kind: correctness}, {kind: format, weight: 0.2}]`
"""

from typing import ClassVar, Literal

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.grading.thought import CHANNEL, CLOSE, thought_and_answer
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class Format(Reward):
    """Gives 1 if the completion reasons first and then gives one boxed answer, whatever the answer is."""

    reads_gold: ClassVar[bool] = False

    kind: Literal["format"] = "format"
    box: bool = True
    """Whether one box has to follow the reasoning, and none may stand in it; else only the reasoning's end counts."""

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        is_fine = is_formatted if self.box else ends_its_reasoning
        return batch.correct.new_tensor([float(is_fine(text)) for text in batch.texts])


def is_formatted(text: str) -> bool:
    """Returns whether the reasoning is closed once and one box follows it."""
    reasoning, answer = thought_and_answer(text) or ("", "")
    return "\\boxed{" not in reasoning and answer.count("\\boxed{") == 1


def ends_its_reasoning(text: str) -> bool:
    """Returns whether the reasoning is closed exactly once, on a line of its own; channels have no lines."""
    return text.count(f"\n{CLOSE}\n") == 1 or (CHANNEL in text and thought_and_answer(text) is not None)
