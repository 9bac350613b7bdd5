"""Countdown: reach a number with given numbers, each used once.

Why: a search that small models can learn to carry out in words, and to go back in; the answer checks itself (the task
of TinyZero and of Stream of Search, arXiv 2404.03683).
Formula: numbers are joined at random by + - * / with whole results above 0 until one is left, the target. Any
expression of the numbers with that value is correct. The trace is the way there; `backtracks` ways that miss the target
stand before it.
Reward hacking: none of the expressions is given, so there is little to guess; with two numbers four tries are enough.
Example: `data: {kind: generated, task: {kind: countdown, numbers: 3, backtracks: 2}, size: 2000}`.
"""

import random
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field

from tinyreason.data.tasks._task import Puzzle, Task, between


class Term(NamedTuple):
    """A number, how it is written, and the operation that made it."""

    value: int
    text: str
    operation: str = ""


class Countdown(Task):
    """Makes sets of numbers and a target; the level is how many numbers there are."""

    form: ClassVar[str] = "as one expression of these numbers"
    kind: Literal["countdown"] = "countdown"
    numbers: between(2, 6) = (3, 3)
    """How many numbers are given, 2 to 6, or [least, most]."""
    largest: Annotated[int, Field(ge=4)] = 20
    """The largest number that is given."""
    largest_target: Annotated[int, Field(ge=10)] = 100
    """The largest number to reach."""
    backtracks: Annotated[int, Field(ge=0, le=20)] = 0
    """How many ways that miss the target a trace holds at most, before the one that does not."""

    def make(self, rng: random.Random) -> Puzzle:
        """Makes numbers and a target that they reach."""
        count = rng.randint(*self.numbers)
        while True:
            given = [rng.randint(1, self.largest) for _ in range(count)]
            steps, term = join(given, rng)
            if term.value <= self.largest_target and term.value not in given:
                break
        shown = ", ".join(map(str, given))
        text = f"Use the numbers {shown}, each exactly once, with +, -, *, / and brackets, to make {term.value}."
        key = f"{sorted(given)} {term.value}"
        options = {"numbers": given, "target": term.value}
        return Puzzle(text, term.text, count, key, (given, term.value, steps), "expression", options)

    def trace(self, puzzle: Puzzle, rng: random.Random) -> tuple[list[str], str]:
        """Tries other ways first, as many as are asked for, then the one that reaches the target."""
        given, target, steps = puzzle.facts
        lines = []
        for _ in range(rng.randint(0, self.backtracks)):
            missed, term = join(given, rng)
            if term.value != target:
                lines.append(f"{', '.join(missed)}. That is not {target}.")
        return [*lines, f"{', '.join(steps)}. That is {target}."], puzzle.answer


def join(given: list[int], rng: random.Random) -> tuple[list[str], Term]:
    """Joins numbers two by two, at random, until one is left; returns the steps, `3 + 4 = 7`, and what is left."""
    terms, steps = [Term(number, str(number)) for number in given], []
    while len(terms) > 1:
        one, two = sorted((terms.pop(rng.randrange(len(terms))), terms.pop(rng.randrange(len(terms)))), reverse=True)
        made = {"+": one.value + two.value, "*": one.value * two.value, "-": one.value - two.value}
        if one.value % two.value == 0:
            made["/"] = one.value // two.value
        operation = rng.choice([sign for sign, value in made.items() if value > 0])
        value = made[operation]
        steps.append(f"{one.value} {operation} {two.value} = {value}")
        terms.append(Term(value, f"{inside(one, operation)} {operation} {inside(two, operation, True)}", operation))
    return steps, terms[0]


def inside(term: Term, operation: str, is_second: bool = False) -> str:
    """Returns a term as it stands in a larger expression, in brackets where it needs them."""
    is_weaker = operation in "*/" and term.operation in ("+", "-")
    is_regrouped = is_second and operation in "-/" and term.operation != ""
    return f"({term.text})" if is_weaker or is_regrouped else term.text
