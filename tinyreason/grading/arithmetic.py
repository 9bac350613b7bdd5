"""Reads arithmetic of plain numbers exactly, and tells a value (3/4, 2^10, 1.5e-3) from what is left to work out."""

import re
from fractions import Fraction
from functools import lru_cache
from math import comb, factorial, isqrt
from typing import NamedTuple

LARGEST_EXPONENT = 5_000
MOST_BITS = 40_000
MOST_DIGITS = 1_000
DEEPEST = 20
FEWEST_DIGITS = 6
"""A decimal with so many significant digits stands for what rounds to it."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[1-9]\d{0,2}(?:,\d{3})+(?!\d)|\d+)(?:\.\d*)?(?:[eE][+-]?\d{1,6}(?!\d))?|\.\d+(?:[eE][+-]?\d{1,6})?)"
    r"|(?P<command>\\(?:frac|sqrt|d?binom)(?![A-Za-z]))|(?P<sign>\*\*|[-+*/÷^!(){}\[\]]))"
)


class Number(NamedTuple):
    """An exact value with the form that it was written in."""

    value: Fraction | None
    """None where it is irrational or too large to be written out."""
    form: str
    """`literal` (12, 1.5e-3), `fraction`, also `in lowest terms`, `value` (a root, a power) or `unevaluated` (3+4)."""
    place: Fraction | None = None
    """What the last digit of a decimal counts; None for all that is exact."""
    digits: int = 0
    """Significant digits of a decimal."""

    @property
    def is_lowest(self) -> bool:
        """Whether nothing is left to work out: a number, or a fraction in its lowest terms."""
        return self.form in ("literal", "fraction in lowest terms")


class _NotArithmetic(Exception):
    pass


@lru_cache(maxsize=8192)
def read_number(text: str) -> Number | None:
    """Returns what a text in plain notation is worth if it holds nothing but plain numbers, else None."""
    tokens, end = [], 0
    while found := _TOKEN.match(text, end):
        tokens.append((found.lastgroup, found[found.lastgroup]))
        end = found.end()
    if not tokens or text[end:].strip() or len(tokens) > 400:
        return None
    reader = _Reader(tokens)
    try:
        number = reader.sum()
    except _NotArithmetic:
        return None
    return number if reader.at == len(tokens) else None


def same_number(one: Number, other: Number) -> bool | None:
    """Returns whether two values are equal, a decimal of six digits if the other rounds to it; None: unknown."""
    if one.value is None or other.value is None:
        return None
    difference = abs(one.value - other.value)
    return difference == 0 or any(
        number.place is not None and number.digits >= FEWEST_DIGITS and difference <= number.place / 2
        for number in (one, other)
    )


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    def sum(self) -> Number:
        self.depth += 1
        if self.depth > DEEPEST:
            raise _NotArithmetic
        total = self.product()
        while (sign := self.take("+", "-")) is not None:
            right = self.product()
            value = _both(total, right, lambda a, b, minus=sign == "-": a - b if minus else a + b)
            total = Number(value, "unevaluated")
        self.depth -= 1
        return total

    def product(self) -> Number:
        left = self.signed()
        while True:
            if (sign := self.take("*", "/", "÷")) is not None:
                power_of_ten = self.next_is_ten()
                right = self.signed()
                left = _times(left, right, power_of_ten) if sign == "*" else _quotient(left, right, sign)
            elif self.starts_factor():
                is_plain = self.peek()[0] == "number"
                right = self.signed()
                if is_plain and (below := self.take("/")) is not None:
                    right = _quotient(right, self.signed(), below)
                elif is_plain:
                    raise _NotArithmetic  # two numbers side by side
                left = _beside(left, right)
            else:
                return left

    def signed(self) -> Number:
        sign = self.take("+", "-")
        if sign and self.take("+", "-"):
            self.at -= 1
            number = self.signed()._replace(form="unevaluated")
        else:
            number = self.factor()
        if sign == "-" and number.value is not None:
            return number._replace(value=-number.value)
        return number

    def factor(self) -> Number:
        number = self.atom()
        while (sign := self.take("^", "!", "**")) is not None:
            number = _factorial(number) if sign == "!" else _power(number, self.exponent())
        return number

    def exponent(self) -> Number:
        sign = self.take("-", "+")
        number = self.atom()
        return number._replace(value=-number.value) if sign == "-" and number.value is not None else number

    def atom(self) -> Number:
        kind, text = self.peek()
        self.at += 1
        if kind == "number":
            return _literal(text)
        if text in ("(", "{", "["):
            inside = self.sum()
            self.expect({"(": ")", "{": "}", "[": "]"}[text])
            return inside
        if text == "\\frac":
            above, below = self.braces(), self.braces()
            return _quotient(above, below, "frac")
        if text == "\\sqrt":
            index = self.sum() if self.take("[") else Number(Fraction(2), "literal")
            if index.value != 2 or self.tokens[self.at - 1][1] != "\\sqrt":
                self.expect("]")
            return _power(self.braces(), _quotient(Number(Fraction(1), "literal"), index, "frac"))
        if kind == "command":
            return _binomial(self.braces(), self.braces())
        raise _NotArithmetic

    def braces(self) -> Number:
        if self.peek()[1] != "{":
            return self.atom()
        self.at += 1
        inside = self.sum()
        self.expect("}")
        return inside

    def peek(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise _NotArithmetic
        return self.tokens[self.at]

    def take(self, *signs: str) -> str | None:
        if self.at < len(self.tokens) and self.tokens[self.at][1] in signs:
            self.at += 1
            return self.tokens[self.at - 1][1]
        return None

    def expect(self, sign: str) -> None:
        if self.take(sign) is None:
            raise _NotArithmetic

    def starts_factor(self) -> bool:
        if self.at >= len(self.tokens):
            return False
        kind, text = self.tokens[self.at]
        return kind in ("number", "command") or text == "("

    def next_is_ten(self) -> bool:
        return [text for _, text in self.tokens[self.at : self.at + 2]] == ["10", "^"]


def _literal(text: str) -> Number:
    text = text.replace(",", "")
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, decimals = mantissa.partition(".")
    digits = len((whole + decimals).lstrip("0"))
    power = int(exponent or 0)
    if abs(power) > LARGEST_EXPONENT or len(mantissa) > MOST_DIGITS:
        return Number(None, "literal")
    place = Fraction(10) ** (power - len(decimals))
    is_decimal = bool(decimals) or "e" in text.lower()
    return Number(int(whole + decimals or 0) * place, "literal", place if is_decimal else None, digits)


def _both(one: Number, other: Number, combine) -> Fraction | None:
    if one.value is None or other.value is None:
        return None
    if one.value.denominator.bit_length() + other.value.denominator.bit_length() > MOST_BITS:
        return None
    return combine(one.value, other.value)


def _times(left: Number, right: Number, power_of_ten: bool) -> Number:
    value = _both(left, right, lambda a, b: a * b)
    if not power_of_ten or left.form != "literal" or right.form == "unevaluated":
        return Number(value, "unevaluated")
    place = left.place * right.value if left.place is not None and right.value is not None else None
    return Number(value, "literal", place, left.digits)


def _quotient(left: Number, right: Number, sign: str) -> Number:
    if right.value == 0:
        raise _NotArithmetic
    value = _both(left, right, lambda a, b: a / b)
    forms = {left.form, right.form}
    if sign == "÷" or "unevaluated" in forms or (sign == "/" and forms != {"literal"}):
        return Number(value, "unevaluated")
    is_lowest = (
        forms == {"literal"} and value is not None and right.value == value.denominator and value.denominator > 1
    )
    return Number(value, "fraction in lowest terms" if is_lowest else "fraction")


def _beside(left: Number, right: Number) -> Number:
    """Returns the mixed number of 1 and 1/2; of all else a product."""
    is_fraction = right.form.startswith("fraction") and right.value is not None and 0 < right.value < 1
    if left.form == "literal" and left.place is None and is_fraction and left.value is not None:
        return Number(left.value - right.value if left.value < 0 else left.value + right.value, right.form)
    return Number(_both(left, right, lambda a, b: a * b), "unevaluated")


def _power(base: Number, exponent: Number) -> Number:
    form = "unevaluated" if "unevaluated" in (base.form, exponent.form) else "value"
    value, power = base.value, exponent.value
    if value is None or power is None or (value == 0 and power <= 0):
        return Number(None, form)
    bits = max(value.numerator.bit_length(), value.denominator.bit_length())
    if abs(power.numerator) > LARGEST_EXPONENT * 4 or bits * abs(power.numerator) > MOST_BITS or power.denominator > 64:
        return Number(None, form)
    if power.denominator == 1:
        return Number(value**power.numerator, form)
    root = _root(value, power.denominator)
    return Number(None if root is None else root**power.numerator, form)


def _root(value: Fraction, index: int) -> Fraction | None:
    """Returns the exact root of a value, None if it is irrational."""
    if value < 0:
        return None
    parts = [_whole_root(part, index) for part in (value.numerator, value.denominator)]
    return None if None in parts else Fraction(*parts)


def _whole_root(number: int, index: int) -> int | None:
    if index == 2:
        root = isqrt(number)
    else:
        if number.bit_length() > 900:
            return None
        root = round(number ** (1 / index))
    return root if root**index == number else None


def _factorial(number: Number) -> Number:
    form = "unevaluated" if number.form == "unevaluated" else "value"
    if number.value is None or number.value.denominator != 1 or not 0 <= number.value <= 2_500:
        return Number(None, form)
    return Number(Fraction(factorial(int(number.value))), form)


def _binomial(above: Number, below: Number) -> Number:
    form = "unevaluated" if "unevaluated" in (above.form, below.form) else "value"
    values = above.value, below.value
    if None in values or any(value.denominator != 1 or not 0 <= value <= 1_000 for value in values):
        return Number(None, form)
    return Number(Fraction(comb(int(values[0]), int(values[1]))), form)
