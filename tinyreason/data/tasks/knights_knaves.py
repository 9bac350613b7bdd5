"""Knights, who always tell the truth, and knaves, who always lie: who is what?

Why: Logic-RL (arXiv 2502.14768) trains on such puzzles: the answer checks itself, nobody has published them with a
solution, and their level is the number of people.
Formula: everybody makes one claim about others: that they are a knight or a knave, of one kind or of two, or two such
claims joined by and, or, if, if and only if. Kept is what exactly one of the 2^n assignments fits. The trace adds one
person at a time, a knight first, and goes back as soon as a claim does not fit.
Reward hacking: with two people a guess is correct one time in four.
Example: `data: {kind: generated, task: {kind: knights_knaves, people: 3}, size: 2000}`.
"""

import random
from collections.abc import Generator, Iterator, Sequence
from itertools import product
from typing import ClassVar, Literal

from tinyreason.data.tasks._task import Puzzle, Task, between
from tinyreason.sandbox.tasks import PEOPLE

ROLES = ("knave", "knight")
Claim = tuple
"""`("is", person, is a knight)`, `("same", one, other, are they)`, or `("and", claim, claim)`, as well or, if, iff."""
JOINED = {"and": "{}, and {}", "or": "{}, or {}", "if": "if {}, then {}", "iff": "{} if and only if {}"}


class KnightsKnaves(Task):
    """Makes knights and knaves puzzles with exactly one solution; the level is the number of people."""

    form: ClassVar[str] = "as `NAME is a knight` or `NAME is a knave` for everybody, with commas between,"
    kind: Literal["knights_knaves"] = "knights_knaves"
    people: between(2, 8) = (3, 3)
    """How many people, 2 to 8, or [least, most]."""

    def make(self, rng: random.Random) -> Puzzle:
        """Makes a puzzle with one solution."""
        count = rng.randint(*self.people)
        while True:
            claims = [make_claim(person, count, rng) for person in range(count)]
            found = list(fitting_roles(claims))
            if len(found) == 1:
                break
        names = rng.sample(PEOPLE, count)
        told = [f'{name} says: "{spoken(claims[one], names, one)}."' for one, name in enumerate(names)]
        listed = f"{', '.join(names[:-1])} and {names[-1]}"
        text = f"A knight always tells the truth, a knave always lies. You meet {listed}. {' '.join(told)}"
        answer = ", ".join(f"{name} is a {ROLES[role]}" for name, role in zip(names, found[0], strict=True))
        return Puzzle(text, answer, count, repr(claims), (names, claims), "assignment")

    def trace(self, puzzle: Puzzle, rng: random.Random) -> tuple[list[str], str]:
        """Supposes one role after the other and checks each claim as soon as everybody in it has one."""
        names, claims = puzzle.facts
        return list(search(names, claims, ())), puzzle.answer


def search(names: Sequence[str], claims: Sequence[Claim], known: tuple[bool, ...]) -> Generator[str, None, bool]:
    """Yields what is supposed and checked with these roles known; returns whether that led to a solution."""
    if len(known) == len(names):
        return True
    for role in (True, False):
        roles = (*known, role)
        checked = [one for one in range(len(roles)) if max(one, *people_in(claims[one])) == len(known)]
        wrong = next((one for one in checked if holds(claims[one], roles) != roles[one]), None)
        shown = checked if wrong is None else [wrong]
        if shown:
            supposed = ", ".join(f"{name} {ROLES[kind]}" for name, kind in zip(names, roles, strict=False))
            truths = ", ".join(f"{names[one]}'s claim is {str(holds(claims[one], roles)).lower()}" for one in shown)
            yield f"{supposed}: {truths}, {'fits' if wrong is None else 'no'}."
        if wrong is None and (yield from search(names, claims, roles)):
            return True
    return False


def make_claim(speaker: int, count: int, rng: random.Random) -> Claim:
    """Makes what somebody says: half of the time simple, else two simple claims joined."""
    if rng.random() < 0.5:
        return make_simple(speaker, count, rng)
    first = second = make_simple(speaker, count, rng)
    while people_in(second) == people_in(first):
        second = make_simple(speaker, count, rng)
    return (rng.choice(list(JOINED)), first, second)


def make_simple(speaker: int, count: int, rng: random.Random) -> Claim:
    """Makes a claim about another person, or about two people."""
    other = rng.choice([person for person in range(count) if person != speaker])
    if rng.random() < 0.7:
        return ("is", other, rng.random() < 0.5)
    one, two = sorted((other, rng.choice([person for person in range(count) if person != other])))
    return ("same", one, two, rng.random() < 0.5)


def holds(claim: Claim, roles: Sequence[bool]) -> bool:
    """Returns whether a claim is true where these are the knights."""
    kind, *parts = claim
    if kind == "is":
        return roles[parts[0]] == parts[1]
    if kind == "same":
        return (roles[parts[0]] == roles[parts[1]]) == parts[2]
    one, two = holds(parts[0], roles), holds(parts[1], roles)
    return {"and": one and two, "or": one or two, "if": two or not one, "iff": one == two}[kind]


def people_in(claim: Claim) -> set[int]:
    """Returns whom a claim is about."""
    kind, *parts = claim
    if kind in JOINED:
        return people_in(parts[0]) | people_in(parts[1])
    return set(parts[:-1])


def fitting_roles(claims: Sequence[Claim]) -> Iterator[tuple[bool, ...]]:
    """Yields the assignments that fit: a knight's claim is true, a knave's is not."""
    for roles in product((True, False), repeat=len(claims)):
        if all(holds(claim, roles) == role for claim, role in zip(claims, roles, strict=True)):
            yield roles


def spoken(claim: Claim, names: Sequence[str], speaker: int) -> str:
    """Returns a claim as the speaker says it."""
    kind, *parts = claim
    if kind == "is":
        return f"{names[parts[0]]} is a {ROLES[parts[1]]}"
    if kind == "same":
        one, two = sorted(parts[:2], key=lambda person: person == speaker)
        both = f"{names[one]} and {'I' if two == speaker else names[two]}"
        return f"{both} are {'the same kind' if parts[2] else 'of different kinds'}"
    return JOINED[kind].format(*(spoken(part, names, speaker) for part in parts))
