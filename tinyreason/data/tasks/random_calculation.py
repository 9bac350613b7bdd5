"""Arithmetic of any length: work out an expression.

Why: the steps are all there is to it, so length and correctness can be set apart; as training data, calculations can
raise what a model does on other problems.
Formula: an expression of `steps` operations with whole results from 0 to `largest`; each operation joins the expression
so far with a new number or a small expression, on either side. The trace works out the innermost first.
Reward hacking: short expressions can be memorised: with one step and numbers to 9 there are a few hundred.
Not checked against the paper: which of its rewards was used; here an answer is correct or it is not.
Example: `data: {kind: generated, task: {kind: random_calculation, steps: [2, 6]}, size: 2000}`.
"""

import random
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tinyreason.data.tasks._task import Puzzle, Task, between

MOST_TRIES = 50


class RandomCalculation(Task):
    """Makes expressions to work out; the level is the number of operations."""

    form: ClassVar[str] = "as a number"
    kind: Literal["random_calculation"] = "random_calculation"
    steps: between(1, 20) = (3, 3)
    """How many operations, 1 to 20, or [least, most]."""
    operations: Annotated[tuple[Literal["+", "-", "*", "/", "^"], ...], Field(min_length=1)] = ("+", "-", "*", "/")
    """Which operations there are; ^ is a square or a cube."""
    largest: Annotated[int, Field(ge=9)] = 99
    """The largest number in it, results included; the smallest is 0."""

    def make(self, rng: random.Random) -> Puzzle:
        """Makes an expression with whole results."""
        count = rng.randint(*self.steps)
        while True:
            value = rng.randint(1, self.largest)
            text, lines = str(value), []
            while len(lines) < count and (found := self.step(value, rng)):
                left, operation, right, result = found
                is_first = left == value and (right != value or rng.random() < 0.5)
                inner = text if not lines else f"({text})"
                text = f"{inner} {operation} {right}" if is_first else f"{left} {operation} {inner}"
                lines.append(f"{left} {operation} {right} = {result}")
                value = result
            if len(lines) == count:
                return Puzzle(f"What is {text}?", str(value), count, text, lines)

    def step(self, value: int, rng: random.Random) -> tuple[int, str, int, int] | None:
        """Returns (left, operation, right, result) with the value on one side; None where hardly any is allowed."""
        for _ in range(MOST_TRIES):
            operation = rng.choice(self.operations)
            other = rng.randint(2, 3) if operation == "^" else rng.randint(1, max(2, self.largest // 2))
            if operation == "*":
                other = rng.randint(2, 9)
            elif operation == "/":
                other = rng.choice([one for one in range(2, 13) if value % one == 0] or [0])
            left, right = (value, other) if operation in "/^" or rng.random() < 0.7 else (other, value)
            result = result_of(left, operation, right)
            if 0 <= result <= self.largest:
                return left, operation, right, result
        return None

    def trace(self, puzzle: Puzzle, rng: random.Random) -> tuple[list[str], str]:
        """Works it out from the innermost brackets on."""
        return puzzle.facts, puzzle.answer


def result_of(left: int, operation: str, right: int) -> int:
    """Returns the result of one operation on whole numbers; a division here leaves no rest."""
    if operation == "^":
        return left**right
    return {"+": left + right, "-": left - right, "*": left * right, "/": left // right if right else -1}[operation]
