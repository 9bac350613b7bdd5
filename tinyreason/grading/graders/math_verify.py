"""Numbers, formulas, words and lists: equal to the gold answer, as mathematics or as text.

Why: what most published problems need; Math-Verify does the algebra (the verifiable reward of RLVR).
Formula: see docs/grading.md. What can be compared exactly is compared in `grading/values.py` before anybody asks here.
Reward hacking: an expression of the problem, left as it stands, is not an answer; see docs/grading.md.
Example: gold `\\frac{1}{2}`: `0.5` is correct.
"""

import re
from functools import lru_cache
from typing import Any, Literal

from tinyreason.grading.answers import NO_ANSWER
from tinyreason.grading.graders._rule import Graded, Rule
from tinyreason.grading.notation import ascii_notation, compact, has_digits_apart, plain_notation
from tinyreason.grading.values import final_side, read_value

FAR, NEAR, DECIMALS = 1e-3, 1e-12, 1e-5
"""Relative differences: what is beyond the first differs, what is within the second is equal, decimals the third."""
NOISE, NOISY = 1e-15, 20
APART = "digits with spaces between them"
_NAMED_INDEX = re.compile(r"_\{\s*\\(max|min)\s*\}")


class MathVerify(Rule):
    """Grades numbers, formulas, words, dates and lists: the usual grader."""

    kind: Literal["math"] = "math"

    def reads(self, gold: str) -> bool:
        """Returns whether Math-Verify reads more in it than the text alone."""
        return not all(isinstance(part, str) for part in _parsed(gold))

    def grade(self, gold: str, answer: str) -> Graded:
        """Returns whether an answer is the gold answer as it stands, or equals it by algebra."""
        if has_digits_apart(answer):
            return plain_notation(answer) == plain_notation(gold), APART
        if compact(answer) == compact(gold):
            return True, ""
        is_number = read_value(gold).kind == "number"
        said = _parsed(final_side(answer) if is_number else answer)
        return (_are_equal(_parsed(gold), said), "") if said else (False, NO_ANSWER)


@lru_cache(maxsize=512)
def _parsed(text: str) -> list:
    """Returns what Math-Verify reads: one gold answer is compared with many completions."""
    from math_verify import parse

    return parse(_box(text), parsing_timeout=None)


def _are_equal(gold: list, said: list) -> bool:
    """Asks Math-Verify, unless the sizes differ: it is slow to see that, and blind to what is small."""
    from math_verify import verify

    sizes = _sizes(gold[0], said[0])
    if sizes and not any(has_decimals for _, has_decimals in sizes) and not _are_close(sizes, FAR):
        return False
    return verify(gold, said, timeout_seconds=None) and (not sizes or _are_close(sizes, NEAR))


def _box(text: str) -> str:
    return "\\boxed{" + _NAMED_INDEX.sub(r"_{\1}", ascii_notation(text)) + "}"


def _sizes(gold: Any, said: Any) -> list[tuple[Any, bool]] | None:
    """Returns (its size, whether it holds decimals) of two expressions; letters get values, each another.

    None where one has no size, as a set, an interval, an equation or a percentage.
    """
    from sympy import Expr, Float, Rational, UnevaluatedExpr

    sides = gold, said
    if not all(isinstance(side, Expr) and not side.has(UnevaluatedExpr) for side in sides):
        return None
    letters = sorted(gold.free_symbols | said.free_symbols, key=str)
    values = {letter: Rational(7 + 4 * n, 5 + n) for n, letter in enumerate(letters)}
    try:
        sizes = [(side.subs(values).doit().evalf(20), side.has(Float)) for side in sides]
        return sizes if all(size.is_number and size.is_finite for size, _ in sizes) else None
    except (TypeError, ValueError, ArithmeticError, AttributeError, NotImplementedError):
        return None


def _are_close(sizes: list[tuple[Any, bool]], tolerance: float) -> bool:
    (first, is_decimal), (second, is_decimal_too) = sizes
    largest = max(abs(first), abs(second))
    if largest < NOISE and min(getattr(size, "_prec", NOISY) for size in (first, second)) < NOISY:
        return True  # what is left of an exact zero
    tolerance = max(tolerance, DECIMALS) if is_decimal or is_decimal_too else tolerance
    return bool(abs(first - second) <= tolerance * largest)
