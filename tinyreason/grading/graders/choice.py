"""Multiple choice: the letter of the option.

Why: a question with options has one letter that is correct, however the option is worded.
Formula: correct if the mark holds one option letter, the gold's; without a mark the last letter that stands alone.
Reward hacking: with four options a guess is correct one time in four, so reasoning can be empty; a mark that names two
letters is incorrect.
Example: `data: {kind: problems, file: quiz.jsonl, grader: choice}`.
"""

import re
from typing import Literal

from tinyreason.grading.graders._rule import Graded, Rule
from tinyreason.grading.notation import plain_notation

_ALONE = re.compile(r"(?<![\w'\\])([A-J])(?![\w'])(?!(?<=[AI])\s+(?!is\b|and\b|or\b)[a-z])")
_FIRST = re.compile(r"\(?([A-J])[).:](?:\s.*)?", re.DOTALL)


class Choice(Rule):
    """Grades the letter of an option, A to J."""

    kind: Literal["choice"] = "choice"

    def grade(self, gold: str, answer: str) -> Graded:
        """Returns whether both name the same letter, and no other."""
        wanted, given = letter_of(gold), letter_of(answer)
        return bool(wanted) and wanted == given, "" if given else "not one option letter"

    def find(self, prose: str) -> str:
        """Returns the last letter that stands alone; `A` and `I` before a word are words themselves."""
        return next(iter(_ALONE.findall(prose)[::-1]), "")


def letter_of(answer: str) -> str:
    """Returns the letter of `C`, `(C)`, `C) Paris` or `option C`; nothing where there are several."""
    plain = plain_notation(answer)
    if named := _FIRST.fullmatch(plain):
        return named[1]
    letters = set(_ALONE.findall(plain))
    return letters.pop() if len(letters) == 1 else ""
