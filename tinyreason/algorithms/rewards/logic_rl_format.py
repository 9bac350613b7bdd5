"""Pays for the four tags of a thought and an answer first, and for the answer only where they are all in order.

Why: Logic-RL (arXiv 2502.14768): the strict format stops shortcuts such as thinking after the answer.
Formula: −3 unless `<think> </think> <answer> </answer>` each stand once and in this order; else 1, and 2 more for a
correct answer, −1.5 for an incorrect one, −2 for one that cannot be read: none, or, of knights and knaves, another
number of them than the gold answer names. It holds correctness already; it stands alone. The prompt has to ask for the
tags: `prompt: think_answer`.
Reward hacking: an empty thought is in order too.
Example: `rewards: [{kind: logic_rl_format}]`
"""

import re
from typing import ClassVar, Literal

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.algorithms.rewards._tags import stand_once_in_order
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class LogicRlFormat(Reward):
    """Gives 3 for a correct answer in order, −0.5 for an incorrect one, −1 for none, −3 where the tags are not."""

    asks_for: ClassVar[str | None] = "think_answer"

    kind: Literal["logic_rl_format"] = "logic_rl_format"
    is_thought_open: bool = False
    """Whether the chat template ends the prompt in `<think>`, so that a completion has only the other three tags."""

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        rows = zip(batch.texts, batch.answers, batch.examples, strict=True)
        read = [answer is not None and roles(answer) == roles(example.answer) for _, answer, example in rows]
        ordered = [
            stand_once_in_order(text, "think", "answer", is_thought_open=self.is_thought_open) for text in batch.texts
        ]
        incorrect = 1 - batch.correct.new_tensor([1.5 if is_read else 2.0 for is_read in read])
        value = incorrect.masked_fill(batch.correct == 1, 3.0)
        return batch.where_graded(value.masked_fill(~batch.correct.new_tensor(ordered).bool(), -3.0))


def roles(answer: str) -> int:
    """Returns how many are called knight or knave."""
    return len(re.findall(r"knight|knave", answer, re.IGNORECASE))
