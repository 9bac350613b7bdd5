"""Gives 1 where the letter that is chosen, A to J, is that of the gold answer.

Why: the usual outcome of multiple choice, without a grader that takes letters for variables.
Formula: 1 if the last letter A to J that stands alone equals that of the gold answer: in the last box or `<answer>`
where there is one, else in what follows the thought; 0 if not, without a letter, or where it was truncated before a
box; nan where the gold answer has no letter.
Reward hacking: one letter for everything is as good as chance; where nothing is boxed, the words "A" and "I" are
letters too.
Example: `rewards: [{kind: choice_letter}]`
"""

import re
from typing import Literal

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.algorithms.rewards._tags import inside_tag
from tinyreason.grading.thought import said
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor

LETTER = re.compile(r"(?<![^\W\d_])[A-J](?![^\W\d_]|['’])")
BOX = re.compile(r"\\boxed\s*\{(?:\\text\w*\s*\{)?([^{}]*)\}")


class ChoiceLetter(Reward):
    """Gives 1 for the letter of the gold answer, 0 for another or none."""

    kind: Literal["choice_letter"] = "choice_letter"

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        rows = zip(batch.texts, batch.examples, batch.truncated.tolist(), strict=True)
        return batch.correct.new_tensor(
            [letter_reward(text, example.answer, is_truncated) for text, example, is_truncated in rows]
        )


def letter_reward(completion: str, gold_answer: str, is_truncated: bool) -> float:
    """Returns 1, 0, or nan where the gold answer names no letter."""
    gold = last_letter(gold_answer)
    if gold is None:
        return float("nan")
    answer = said(completion) or ""
    marked = BOX.findall(answer)[-1:] or [found for found in [inside_tag(answer, "answer")] if found is not None]
    return float(gold == last_letter(marked[0] if marked else "" if is_truncated else answer))


def last_letter(text: str) -> str | None:
    """Returns the last of the letters A to J that stand alone; None without one."""
    return (LETTER.findall(text) or [None])[-1]
