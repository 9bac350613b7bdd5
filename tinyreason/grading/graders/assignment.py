"""Knights and knaves: who is what.

Why: Logic-RL (arXiv 2502.14768) trains on puzzles whose answer names everybody's role.
Formula: read every `NAME is a ROLE` (also `NAME: ROLE`); correct if they are the gold answer's, each person once.
Reward hacking: to name somebody twice, once as each, is incorrect; with two people a guess is correct one time in four.
Example: gold `Ann is a knight, Ben is a knave`; `Ben is a knave. Ann is a knight` is correct.
"""

import re
from typing import Literal

from tinyreason.grading.graders._rule import Graded, Rule
from tinyreason.grading.notation import plain_notation

_NAMED = re.compile(r"\b([A-Z]\w*)\s*(?:\bis\s+an?\b|[:=])\s*(knight|knave)\b", re.IGNORECASE)


class Assignment(Rule):
    """Grades everybody's role, knight or knave."""

    kind: Literal["assignment"] = "assignment"

    def grade(self, gold: str, answer: str) -> Graded:
        """Returns whether the answer gives the same people the same roles."""
        wanted, given = roles_of(gold), roles_of(answer)
        note = "" if len(given) == len(wanted) else f"{len(given)} of {len(wanted)} people are given one role"
        return bool(wanted) and given == wanted, note


def roles_of(text: str) -> dict[str, str]:
    """Returns each person's role, names and roles in lower case; without those who are given two."""
    found: dict[str, set[str]] = {}
    for name, role in _NAMED.findall(plain_notation(text)):
        found.setdefault(name.casefold(), set()).add(role.casefold())
    return {name: roles.pop() for name, roles in found.items() if len(roles) == 1}
