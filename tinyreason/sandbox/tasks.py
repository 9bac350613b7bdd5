"""Makes the sandbox's problems: three families of word problems, each with an oracle that can work them out.

A problem is a list of arithmetic steps and the sentences that tell them. Which split a problem belongs to is
decided by a hash of its steps, so train, validation and test never share a calculation, whatever the seed.
"""

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

PEOPLE = "Ann Ben Cleo Dan Eva Finn Gus Hana Ivan June Kai Lena Mia Noor Omar Pia".split()
THINGS = "apples beads books cards coins eggs keys marbles nuts pears pens shells stamps stones tickets toys".split()
GAINS = ("buys", "finds", "gets", "wins")
LOSSES = ("gives away", "loses", "sells", "uses")
LARGEST_START = 60
LARGEST_CHANGE = 40
LARGEST_TOTAL = 99
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Step:
    """One calculation, `left operation right = result`."""

    left: int
    operation: str
    right: int

    @property
    def result(self) -> int:
        return self.left + self.right if self.operation == "+" else self.left - self.right

    def __str__(self) -> str:
        return f"{self.left}{self.operation}{self.right}={self.result}"


@dataclass(frozen=True)
class Problem:
    """A word problem, the steps that solve it, and its answer."""

    family: str
    text: str
    steps: tuple[Step, ...]

    @property
    def answer(self) -> int:
        return self.steps[-1].result

    @property
    def split(self) -> str:
        digest = zlib.crc32(f"{self.family}:{' '.join(map(str, self.steps))}".encode()) % 10
        return {0: "test", 1: "validation"}.get(digest, "train")


def chain(rng: random.Random, changes: tuple[int, int] = (2, 3), family: str = "chain") -> Problem:
    """Makes the training family: somebody has things, and gains or loses some, two or three times."""
    name, things = rng.choice(PEOPLE), rng.choice(THINGS)
    total = start = rng.randint(5, LARGEST_START)
    steps, events = [], []
    for _ in range(rng.randint(*changes)):
        gain = total < 10 or (total < LARGEST_TOTAL - 10 and rng.random() < 0.5)
        change = rng.randint(2, min(LARGEST_CHANGE, LARGEST_TOTAL - total if gain else total - 1))
        steps.append(Step(total, "+" if gain else "-", change))
        events.append(f"{rng.choice(GAINS)} {change} more" if gain else f"{rng.choice(LOSSES)} {change}")
        total = steps[-1].result
    told = f"{name} has {start} {things}. {name} {', then '.join(events)}."
    return Problem(family, f"{told} How many {things} does {name} have now?", tuple(steps))


def long_chain(rng: random.Random) -> Problem:
    """Makes the same story with four or five changes: harder."""
    return chain(rng, changes=(4, 5), family="long_chain")


def comparison(rng: random.Random) -> Problem:
    """Makes another kind of problem: two people, one has more or fewer than the other, how many together?"""
    (first, second), things = rng.sample(PEOPLE, 2), rng.choice(THINGS)
    has = rng.randint(12, 48)
    difference = rng.randint(2, 10)
    more = has + difference + has <= LARGEST_TOTAL and rng.random() < 0.5
    other = Step(has, "+" if more else "-", difference)
    told = f"{first} has {has} {things}. {second} has {difference} {'more' if more else 'fewer'} than {first}."
    text = f"{told} How many {things} do {first} and {second} have together?"
    return Problem("compare", text, (other, Step(has, "+", other.result)))


FAMILIES = {"chain": chain, "long_chain": long_chain, "compare": comparison}
LONGEST_PROMPT_TOKENS = {"chain": 39, "long_chain": 53, "compare": 29}
"""Family → the tokens of its longest prompt, chat template included."""


def generate(family: str, split: str, seed: int) -> Iterator[Problem]:
    """Yields endless problems of one family and split, the same for the same seed."""
    rng = random.Random(f"{family}/{split}/{seed}")
    while True:
        problem = FAMILIES[family](rng)
        if problem.split == split:
            yield problem
