"""A problem that has no answer: correct is to say so.

Why: a model that is only rewarded for answers learns to make one up where the problem does not determine any.
Formula: correct if the mark says `unknown`, that it cannot be determined, or that something is missing, and holds no
number; without a mark the last line counts.
Reward hacking: where most problems have no answer, to abstain always pays; mix in as many that have one.
Example: an example with `answer: unknown` and `grader: abstain`, as `treecut` makes them.
"""

import re
from typing import Literal

from tinyreason.grading.graders._rule import Graded, Rule
from tinyreason.grading.notation import plain_notation

_ABSTAINS = re.compile(
    r"\b(?:unknown|undetermined|unanswerable|indeterminate|insufficient|missing"
    r"|(?:can ?not|can't|could not|not possible to|impossible to)(?: be)? "
    r"(?:determined?|answer(?:ed)?|known?|say|said|tell|told|calculated?|computed?|found|find|solved?)"
    r"|not (?:enough|sufficient|given|determined|known|answerable|specified))\b",
    re.IGNORECASE,
)


class Abstain(Rule):
    """Grades whether a completion says that the problem has no answer."""

    kind: Literal["abstain"] = "abstain"

    def grade(self, gold: str, answer: str) -> Graded:
        """Returns whether the answer abstains, and names no number beside."""
        return abstains(gold) and abstains(answer), ""

    def find(self, prose: str) -> str:
        """Returns the last line."""
        return next(iter(prose.strip().splitlines()[::-1]), "")


def abstains(answer: str) -> bool:
    """Returns whether a text says that there is no answer, without a number."""
    plain = plain_notation(answer)
    return _ABSTAINS.search(plain) is not None and not any(one.isdigit() for one in plain)
