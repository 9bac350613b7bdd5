"""A closed set of labels: the one that is named.

Why: verdicts such as `Step 3`, `Answerable` or `entailment` are words, and no algebra is wanted on them.
Formula: correct if the mark holds the gold's label and no other of `labels`; without a mark the last label that stands
in the text. Where `labels` is empty, the mark has to read as the gold does, case and space folded.
Reward hacking: with few labels a guess is often correct; a mark that names two labels is incorrect.
Example: `data: {kind: problems, file: verdicts.jsonl, grader: label}`.
"""

import re
from typing import Literal

from tinyreason.grading.graders._rule import Graded, Rule
from tinyreason.grading.notation import plain_notation


class Label(Rule):
    """Grades a word or phrase of a closed set."""

    kind: Literal["label"] = "label"
    labels: tuple[str, ...] = ()
    """All that there are; none: an answer has to read as the gold answer does."""

    def grade(self, gold: str, answer: str) -> Graded:
        """Returns whether the answer names the gold's label, and no other."""
        given = self.label_of(answer)
        return bool(given) and given == as_label(gold), "" if given else "not one of the labels"

    def label_of(self, answer: str) -> str:
        """Returns the label that an answer names, case and layout folded; nothing where it names none or several."""
        given = as_label(answer)
        if not self.labels or given in map(as_label, self.labels):
            return given
        named = set(self.named(given))
        return named.pop() if len(named) == 1 else ""

    def find(self, prose: str) -> str:
        """Returns the last label in the text."""
        return next(iter(self.named(as_label(prose))[::-1]), "")

    def named(self, text: str) -> list[str]:
        """Returns the labels in a text such as `as_label` returns, in its order; of two at one place the longer."""
        words = sorted(map(as_label, self.labels), key=len, reverse=True)
        return re.findall(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)", text) if words else []


def as_label(text: str) -> str:
    """Returns a text without case, layout and the full stop at its end."""
    return " ".join(plain_notation(text).casefold().split()).strip(" .,;:!")
