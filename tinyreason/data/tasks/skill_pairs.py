"""Two skills of arithmetic, apart and together: train on each alone, test on problems that need both in a row.

Why: models that have learned two skills may still fail where the result of one is what the other starts from; OMEGA
(arXiv 2506.18880) calls it compositional generalisation.
Formula: `first` is a skill that turns two numbers into one, `second` one that turns it into another; together the
second is asked of the first one's answer. `parts` says which of the three problems are made. The split knows the
numbers that are given, so a test of both skills gives no numbers that were trained on.
Reward hacking: digit sums lie close together, so a guess near the middle is correct more often than elsewhere.
Not checked against the paper: OMEGA publishes no licence for its templates, so these are our own, and its figures say
nothing about them.
Example: `data: {kind: generated, task: {kind: skill_pairs, parts: [first, second]}}`,
`evaluation: {data: {kind: generated, task: {kind: skill_pairs, parts: [both]}}}`.
"""

import random
from math import gcd
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tinyreason.data.tasks._task import Puzzle, Task, between

Worked = tuple[list[str], int]


def divide_on(one: int, other: int) -> Worked:
    """Works out the greatest common divisor by Euclid's algorithm."""
    lines = []
    while other:
        lines.append(f"{one} = {one // other} * {other} + {one % other}.")
        one, other = other, one % other
    return [*lines, f"The divisor is {one}."], one


def differ(one: int, other: int) -> Worked:
    """Works out how far apart two numbers are."""
    high, low = max(one, other), min(one, other)
    return [f"{high} - {low} = {high - low}."], high - low


def add_digits(number: int) -> Worked:
    """Adds up the digits of a number."""
    total = sum(map(int, str(number)))
    return [f"{' + '.join(str(number))} = {total}."], total


def count_divisors(number: int) -> Worked:
    """Lists the numbers that divide one, in pairs."""
    pairs = [(low, number // low) for low in range(1, int(number**0.5) + 1) if number % low == 0]
    found = sorted({one for pair in pairs for one in pair})
    return [f"{', '.join(f'{low} * {high}' for low, high in pairs)}.", f"That is {len(found)}."], len(found)


def gcd_pair(result: int, rng: random.Random) -> tuple[int, int]:
    """Makes two numbers with this greatest common divisor."""
    while True:
        one, other = rng.randint(2, 30), rng.randint(2, 30)
        if gcd(one, other) == 1:
            return result * one, result * other


def gap_pair(result: int, rng: random.Random) -> tuple[int, int]:
    """Makes two numbers that are so far apart."""
    low = rng.randint(1, 10 * result)
    return low, low + result


FIRST = {
    "gcd": ("the greatest common divisor of {0} and {1}", gcd_pair, divide_on),
    "gap": ("the difference between {0} and {1}", gap_pair, differ),
}
"""Skill → its question about two numbers, how they are made from its answer, how it is worked out."""
SECOND = {
    "digits": ("the sum of the digits of {0}", add_digits),
    "divisors": ("the number of positive divisors of {0}", count_divisors),
}
"""Skill → its question about one number, which may be the answer of another, and how it is worked out."""


class SkillPairs(Task):
    """Makes problems that need one skill or two in a row; the level is the number of digits of what joins them."""

    form: ClassVar[str] = "as a number"
    kind: Literal["skill_pairs"] = "skill_pairs"
    first: Literal["gcd", "gap"] = "gcd"
    """The skill that starts from two numbers."""
    second: Literal["digits", "divisors"] = "digits"
    """The skill that starts from one number."""
    parts: Annotated[tuple[Literal["first", "second", "both"], ...], Field(min_length=1)] = ("first", "second")
    """What is asked for: a skill alone, or both, the second of the first one's answer."""
    digits: between(1, 5) = (2, 2)
    """How many digits the number has at which the skills join, 1 to 5, or [least, most]."""

    def make(self, rng: random.Random) -> Puzzle:
        """Makes a problem of one of the parts."""
        part, digits = rng.choice(self.parts), rng.randint(*self.digits)
        joint = rng.randint(max(2, 10 ** (digits - 1)), 10**digits - 1)
        (first, numbers_for, work_first), (second, work_second) = FIRST[self.first], SECOND[self.second]
        numbers = [joint] if part == "second" else rng.sample(numbers_for(joint, rng), 2)
        asked = {"first": first, "second": second, "both": second.format(first)}[part]
        lines, answer = ([], joint) if part == "second" else work_first(*numbers)
        if part != "first":
            more, answer = work_second(joint)
            lines = [*lines, *more]
        text = f"What is {asked.format(*numbers)}?"
        key = f"{self.first} {self.second} {sorted(numbers)}"
        return Puzzle(text, str(answer), digits, key, lines)

    def trace(self, puzzle: Puzzle, rng: random.Random) -> tuple[list[str], str]:
        """Works out the first skill, then the second from its answer."""
        return puzzle.facts, puzzle.answer
