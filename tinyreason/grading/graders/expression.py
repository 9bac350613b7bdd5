"""Countdown: an expression of given numbers that has a given value.

Why: many expressions are correct, so they are worked out and not compared (TinyZero's task).
Formula: correct if the expression has the value `target` and uses each of `numbers` as often as it is given, or, with
`uses_all: false`, at most so often. It may end in `= target`. Whole numbers, `+ - * /` and brackets are read, with
exact fractions, by a walk over the syntax tree; anything else is incorrect, and nothing is run.
Reward hacking: `24 = 24` uses a number that is not given and is incorrect.
Example: numbers 3, 4, 5 and target 35: `(3+4)*5` and `\\frac{3+4}{1/5}` differ, and only the first is correct.
"""

import ast
import re
from collections import Counter
from fractions import Fraction
from operator import add, mul, sub, truediv
from typing import Literal

from tinyreason.grading.graders._rule import Graded, Rule
from tinyreason.grading.notation import plain_notation

MOST_CHARS = 300
OPERATIONS = {ast.Add: add, ast.Sub: sub, ast.Mult: mul, ast.Div: truediv}
_SIGNS = re.compile(r"[\d+\-*/() ]+")
_FRACTION = re.compile(r"\\frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")


class Expression(Rule):
    """Grades an expression by its value and the numbers in it."""

    kind: Literal["expression"] = "expression"
    numbers: tuple[int, ...] = ()
    """The numbers that are given."""
    target: int = 0
    """The value it has to have."""
    uses_all: bool = True
    """Whether every number has to be used; else each at most as often as it is given."""

    def grade(self, gold: str, answer: str) -> Graded:
        """Returns whether the answer has the target's value and uses the numbers as it may."""
        expression, equals, value = plain_signs(answer).partition("=")
        worked_out = work_out(expression)
        if worked_out is None:
            return False, "not an expression of whole numbers"
        if equals and value.strip() != str(self.target):
            return False, "it says that it equals something else"
        found, used = worked_out
        given = Counter(self.numbers)
        if used != given if self.uses_all else used - given:
            return False, "it uses other numbers than those given"
        return found == self.target, ""


def plain_signs(text: str) -> str:
    """Returns an expression with `*`, `/` and brackets for what LaTeX writes otherwise."""
    text = plain_notation(text).replace("÷", "/").replace("×", "*")
    for _ in range(8):
        text, count = _FRACTION.subn(r"((\1)/(\2))", text)
        if not count:
            break
    return text


def work_out(expression: str) -> tuple[Fraction, Counter[int]] | None:
    """Returns the value of an expression and how often it uses each number; None where it cannot be worked out."""
    if len(expression) > MOST_CHARS or not _SIGNS.fullmatch(expression):
        return None
    used: Counter[int] = Counter()

    def value_of(node: ast.AST) -> Fraction:
        if isinstance(node, ast.Constant) and type(node.value) is int:
            used[node.value] += 1
            return Fraction(node.value)
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATIONS:
            return OPERATIONS[type(node.op)](value_of(node.left), value_of(node.right))
        raise ValueError

    try:
        return value_of(ast.parse(expression.strip(), mode="eval").body), used
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
        return None
