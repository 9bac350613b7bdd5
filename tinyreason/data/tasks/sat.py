"""Satisfiability: values of the variables that make every clause true.

Why: SATURN (arXiv 2505.16368) climbs from easy formulas to hard ones; the level can be set finely, and an answer checks
in no time.
Formula: a solution is planted; then different clauses are taken of `literals` different variables, whose signs are not
all against the solution, so every formula can be satisfied. The answer is one bit a variable; any that satisfies is
correct. The trace starts from each variable's more frequent sign and mends one false clause at a time.
Reward hacking: with few clauses most answers are correct (3 of 5 variables, 5 clauses: about half of all), so a
constant answer earns much; more clauses leave fewer.
Example: `data: {kind: generated, task: {kind: sat, variables: 5, clauses: [5, 15]}, size: 2000}`.
"""

import random
from collections.abc import Sequence
from math import comb
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from tinyreason.data.tasks._task import Puzzle, Task, between

LETTERS = "ABCDEFGHIJKLMNOP"
MOST_TRIES = 40
Clause = tuple[int, ...]
"""Variable 1 is 1, its negation -1."""


class Sat(Task):
    """Makes satisfiable formulas; the level is the number of clauses."""

    form: ClassVar[str] = "as one bit for each variable, in the order of the alphabet,"
    kind: Literal["sat"] = "sat"
    literals: between(1, 5) = (3, 3)
    """How many variables a clause has, 1 to 5, or [least, most]; SATURN's n."""
    variables: between(2, 16) = (5, 5)
    """How many variables there are, 2 to 16, or [least, most]; SATURN's k."""
    clauses: between(1, 60) = (5, 5)
    """How many clauses there are, 1 to 60, or [least, most]; SATURN's l."""

    @model_validator(mode="after")
    def _check_clauses(self) -> Self:
        literals, variables = self.literals[1], self.variables[0]
        if literals > variables:
            raise ValueError(f"literals={literals} cannot be different ones of variables={variables}")
        most = min(comb(variables, n) * (2**n - 1) for n in range(self.literals[0], literals + 1))
        if self.clauses[1] > most:
            raise ValueError(f"clauses={self.clauses[1]} are more than the {most} that differ; give more variables")
        return self

    def make(self, rng: random.Random) -> Puzzle:
        """Makes a formula that its planted solution satisfies."""
        literals, count, clauses = rng.randint(*self.literals), rng.randint(*self.variables), rng.randint(*self.clauses)
        bits = [rng.random() < 0.5 for _ in range(count)]
        found: dict[Clause, None] = {}
        while len(found) < clauses:
            chosen = sorted(rng.sample(range(count), literals))
            signs = [rng.random() < 0.5 for _ in chosen]
            if any(sign == bits[one] for sign, one in zip(signs, chosen, strict=True)):
                found[tuple(one + 1 if sign else -one - 1 for sign, one in zip(signs, chosen, strict=True))] = None
        formula = list(found)
        written = " & ".join(map(clause_in_letters, formula))
        text = (
            f"Each of the variables {LETTERS[0]} to {LETTERS[count - 1]} is 1 or 0. !A is 1 where A is 0. A clause "
            f"such as !AB is true where !A or B is 1. Make all of these clauses true: {written}."
        )
        options = {"variables": count, "clauses": [list(clause) for clause in formula]}
        return Puzzle(text, as_bits(bits), clauses, written, (formula, count), "sat", options)

    def trace(self, puzzle: Puzzle, rng: random.Random) -> tuple[list[str], str]:
        """Tries values; in the first false clause changes the variable that leaves fewest false; tries again."""
        formula, count = puzzle.facts
        bits = usual_signs(formula, count)
        lines = [f"Most signs give {as_bits(bits)}."]
        seen: set[str] = set()
        while (bad := next((clause for clause in formula if not is_true(clause, bits)), None)) and len(
            seen
        ) < MOST_TRIES:
            seen.add(as_bits(bits))
            new = [one for one in bad if as_bits(flipped(bits, one)) not in seen] or [rng.choice(bad)]
            change = min(new, key=lambda one: sum(not is_true(clause, flipped(bits, one)) for clause in formula))
            bits = flipped(bits, change)
            letter = LETTERS[abs(change) - 1]
            lines.append(f"{clause_in_letters(bad)} is false. Change {letter}: {as_bits(bits)}.")
        if bad:  # the search got nowhere: the planted solution is stated
            bits = [one == "1" for one in puzzle.answer]
            lines.append(f"Try {as_bits(bits)}.")
        checks = ", ".join(f"{clause_in_letters(clause)} by {true_literal(clause, bits)}" for clause in formula)
        return [*lines, f"True: {checks}."], as_bits(bits)


def clause_in_letters(clause: Clause) -> str:
    """Returns a clause as the problem writes it: `!BC`."""
    return "".join(map(literal, clause))


def literal(one: int) -> str:
    """Returns a variable's letter, after `!` where it is negated."""
    return ("!" if one < 0 else "") + LETTERS[abs(one) - 1]


def true_literal(clause: Clause, bits: Sequence[bool]) -> str:
    """Returns the first literal of a true clause that is 1."""
    return next(literal(one) for one in clause if bits[abs(one) - 1] == (one > 0))


def is_true(clause: Clause, bits: Sequence[bool]) -> bool:
    """Returns whether one of its literals is 1."""
    return any(bits[abs(one) - 1] == (one > 0) for one in clause)


def flipped(bits: Sequence[bool], variable: int) -> list[bool]:
    """Returns the bits with that of a variable, or of its negation, changed."""
    return [bit != (place == abs(variable) - 1) for place, bit in enumerate(bits)]


def usual_signs(formula: Sequence[Clause], count: int) -> list[bool]:
    """Returns each variable's more frequent sign; 1 where both are as frequent."""
    signs = [one for clause in formula for one in clause]
    return [signs.count(variable) >= signs.count(-variable) for variable in range(1, count + 1)]


def as_bits(bits: Sequence[bool]) -> str:
    """Returns the bits as they are written."""
    return "".join("1" if bit else "0" for bit in bits)
