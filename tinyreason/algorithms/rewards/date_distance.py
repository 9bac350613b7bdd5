"""Pays a date by how many months it is away from the gold one.

Why: Time-R1 (arXiv 2505.13508): dates of events are learnt from being near, and the tolerance tightens.
Formula: exp(−α·months) + 0.05 for a date as `YYYY-MM` + 0.025 each for `<think>` and `<answer>` in order, less 0.2 for
the answer "no event", less max(0.3·min(1, (words − 900)/124), 0.3·repetition); 0 for the first term without a date. α
moves from `alpha_start` to `alpha` over `alpha_steps`. Repetition is the share of 5-word sequences that came before;
its weight and measure are ours. The gold answer is a date that begins with `YYYY-MM`; nan where it is not.
Reward hacking: the middle of the period asked about is never far from anything.
Example: `rewards: [{kind: date_distance}]`
"""

import math
import re
from typing import Literal

from pydantic import Field

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.algorithms.rewards._tags import inside_tag, repeated_share, stand_once_in_order
from tinyreason.grading.thought import said
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor

DATE = re.compile(r"(?<!\d)(\d{4})-(0[1-9]|1[0-2])(?!\d)")
MOST_WORDS, WORDS_OVER = 900, 124


class DateDistance(Reward):
    """Gives exp(−α·months) for how far a date is from the gold one, and a little for the form."""

    kind: Literal["date_distance"] = "date_distance"
    alpha: float = Field(0.1, gt=0)
    """α, how steeply a month counts."""
    alpha_start: float | None = Field(None, gt=0)
    """α at the first step, 0.07 in the paper's second phase; null = `alpha` from the start."""
    alpha_steps: int = Field(50, ge=2)
    """Steps until α is `alpha`."""
    form: bool = True
    """Whether form, words and repetition count; else the distance alone."""

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        alpha = self.alpha_at(batch.step)
        rows = zip(batch.texts, batch.examples, strict=True)
        return batch.correct.new_tensor([self.of_row(text, example.answer, alpha) for text, example in rows])

    def alpha_at(self, step: int) -> float:
        """Returns α at a step, 1, 2, …"""
        start = self.alpha if self.alpha_start is None else self.alpha_start
        return start + (self.alpha - start) * min(1.0, max(0, step - 1) / (self.alpha_steps - 1))

    def of_row(self, completion: str, gold_answer: str, alpha: float) -> float:
        """Returns what a completion earns; nan where the gold answer is not a date."""
        gold, answer = months_of(gold_answer), inside_tag(completion, "answer") or said(completion) or ""
        if gold is None:
            return float("nan")
        months = months_of(answer)
        near = 0.0 if months is None else math.exp(-alpha * abs(months - gold))
        return near + (form_of(completion, answer, months is not None) if self.form else 0.0)


def months_of(text: str) -> int | None:
    """Returns the months of the last `YYYY-MM` in a text; None without one."""
    found = DATE.findall(text)
    return 12 * int(found[-1][0]) + int(found[-1][1]) if found else None


def form_of(completion: str, answer: str, has_date: bool) -> float:
    """Returns what is added for the form, and taken for length, repetition and saying that there is nothing."""
    words = completion.split()
    _, different, count = repeated_share(words, 5)
    repetition = 1 - different / count if count else 0.0
    parts = sum(stand_once_in_order(completion, tag) for tag in ("think", "answer"))
    length = min(1.0, max(0, len(words) - MOST_WORDS) / WORDS_OVER)
    nothing = 0.2 if "no event" in answer.lower() else 0.0
    return 0.05 * has_date + 0.025 * parts - nothing - 0.3 * max(length, repetition)
