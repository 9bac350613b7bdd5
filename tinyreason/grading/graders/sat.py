"""Satisfiability: any values of the variables that make every clause true.

Why: SATURN (arXiv 2505.16368) trains on formulas, whose difficulty can be set and whose answers check in no time.
Formula: the answer is one bit a variable; correct if each clause has a literal that is true.
Reward hacking: with few clauses many assignments satisfy all, and a constant answer is often correct.
Example: 4 variables, `[[-2, -3, -4], [1, -2, -4], [1, 2, -4]]`: `1101` is correct, `0101` is not.
"""

import re
from typing import Annotated, Literal

from pydantic import Field

from tinyreason.grading.graders._rule import Graded, Rule
from tinyreason.grading.notation import plain_notation


class Sat(Rule):
    """Grades the bits of an assignment against the clauses of a formula."""

    kind: Literal["sat"] = "sat"
    variables: Annotated[int, Field(ge=1)] = 1
    """How many variables there are, and so bits."""
    clauses: tuple[tuple[int, ...], ...] = ()
    """The clauses: variable 3 is 3, its negation -3."""

    def grade(self, gold: str, answer: str) -> Graded:
        """Returns whether the answer's bits satisfy every clause."""
        text = plain_notation(answer)
        inside = re.fullmatch(r"\((.*)\)|\[(.*)\]", text, re.DOTALL)  # a tuple or a list
        bits = re.sub(r"[\s,;]", "", (inside[1] or inside[2] or "") if inside else text)
        if not re.fullmatch(rf"[01]{{{self.variables}}}", bits):
            return False, f"not {self.variables} bits"
        return all(any((bits[abs(one) - 1] == "1") == (one > 0) for one in clause) for clause in self.clauses), ""
