"""Makes word problems that a small instruct model can partly solve: one to three steps, each with its worked solution.

A story has holes for numbers, people and things, and the lines that solve it. Which split a problem belongs to is
decided by a hash of its story and numbers, so train, validation and test never share these, whatever the seed.
"""

import random
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from operator import add, mul, sub, truediv
from types import MappingProxyType
from typing import Any

from tinyreason.sandbox.tasks import PEOPLE, THINGS

NAME = "words"
"""What `data.name` calls them."""
OPERATIONS = {"+": add, "-": sub, "*": mul, "/": truediv}
INVERSE = {"+": "-", "-": "+", "*": "/", "/": "*"}
LARGEST = 200
"""No number in a solution is larger."""
SLIPS = (*range(-12, 0), *range(1, 13))
"""By how much the result of a step with a mistake is off."""
EQUATION = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)")
BOX = re.compile(r"\\boxed\{(\d+)\}")
SMALL, MEDIUM, LARGE, NOTES = range(2, 10), range(3, 20), range(11, 60), (20, 50, 100)


@dataclass(frozen=True)
class WordStory:
    """A story with holes, the ranges of its numbers, and its lines: (what is computed, the sentence around it)."""

    text: str
    numbers: dict[str, Any]
    lines: tuple[tuple[str, str], ...]


STORIES = {
    # one step
    "more": WordStory(
        "{name} has {a} {things} and buys {b} more. How many {things} does {name} have now?",
        {"a": LARGE, "b": LARGE},
        (("a + b", "{name} has {} {things} now."),),
    ),
    "fewer": WordStory(
        "{name} has {a} {things} and gives {b} of them to {other}. How many {things} does {name} have left?",
        {"a": LARGE, "b": LARGE},
        (("a - b", "{name} has {} {things} left."),),
    ),
    "price": WordStory(
        "{name} buys {a} {things} for {b} dollars each. How many dollars does {name} pay?",
        {"a": SMALL, "b": SMALL},
        (("a * b", "{name} pays {} dollars."),),
    ),
    "sharing": WordStory(
        "{b} friends share {a} {things} equally. How many {things} does each of them get?",
        {"a": LARGE, "b": SMALL},
        (("a / b", "Each of them gets {} {things}."),),
    ),
    "age": WordStory(
        "{name} is {a} years old, and {other} is {b} years older than {name}. How old is {other}?",
        {"a": LARGE, "b": MEDIUM},
        (("a + b", "{other} is {} years old."),),
    ),
    "hours": WordStory(
        "A train travels {a} kilometers an hour. How many kilometers does it travel in {b} hours?",
        {"a": range(20, 100, 10), "b": SMALL},
        (("a * b", "It travels {} kilometers."),),
    ),
    # two steps
    "change": WordStory(
        "{name} buys {a} {things} for {b} dollars each and pays with a {c} dollar note. How many dollars does {name} "
        "get back?",
        {"a": SMALL, "b": SMALL, "c": NOTES},
        (("a * b", "The {things} cost {} dollars."), ("c - s", "{name} gets back {} dollars.")),
    ),
    "boxes": WordStory(
        "{name} fills {a} boxes with {b} {things} each and has {c} {things} left over. How many {things} does {name} "
        "have in all?",
        {"a": SMALL, "b": SMALL, "c": MEDIUM},
        (("a * b", "The boxes hold {} {things}."), ("s + c", "With those left over it is {} {things}.")),
    ),
    "rest": WordStory(
        "{name} has {a} {things}, keeps {b} of them and shares the rest equally among {c} friends. How many {things} "
        "does each friend get?",
        {"a": LARGE, "b": MEDIUM, "c": SMALL},
        (("a - b", "The rest is {} {things}."), ("s / c", "Each friend gets {} {things}.")),
    ),
    "ages": WordStory(
        "{name} is {a} years old, and {other} is {b} years older than {name}. How old will {other} be in {c} years?",
        {"a": MEDIUM, "b": MEDIUM, "c": MEDIUM},
        (("a + b", "{other} is {} years old now."), ("s + c", "In {c} years {other} will be {} years old.")),
    ),
    "trip": WordStory(
        "{name} wants to walk {a} kilometers and walks {b} of them a day for {c} days. How many kilometers are left?",
        {"a": range(40, 100), "b": SMALL, "c": SMALL},
        (("b * c", "{name} walks {} kilometers."), ("a - s", "Then {} kilometers are left.")),
    ),
    # three steps
    "basket": WordStory(
        "{name} buys {a} {things} for {b} dollars each and {c} pencils for {d} dollars each. How many dollars does "
        "{name} pay in all?",
        {"a": SMALL, "b": SMALL, "c": SMALL, "d": SMALL},
        (
            ("a * b", "The {things} cost {} dollars."),
            ("c * d", "The pencils cost {} dollars."),
            ("r + s", "{name} pays {} dollars in all."),
        ),
    ),
    "note": WordStory(
        "{name} buys {a} {things} for {b} dollars each and a bag for {c} dollars, and pays with a {d} dollar note. How "
        "many dollars does {name} get back?",
        {"a": SMALL, "b": SMALL, "c": SMALL, "d": NOTES},
        (
            ("a * b", "The {things} cost {} dollars."),
            ("s + c", "With the bag it is {} dollars."),
            ("d - s", "{name} gets back {} dollars."),
        ),
    ),
    "savings": WordStory(
        "{name} saves {a} dollars a week for {b} weeks, spends {c} dollars of that and shares the rest equally with "
        "{other}. How many dollars does {other} get?",
        {"a": MEDIUM, "b": SMALL, "c": MEDIUM},
        (
            ("a * b", "{name} saves {} dollars."),
            ("s - c", "The rest is {} dollars."),
            ("s / 2", "{other} gets {} dollars."),
        ),
    ),
    "stages": WordStory(
        "A bus travels {a} kilometers an hour for {b} hours and then {c} kilometers an hour for {d} hours. How many "
        "kilometers does it travel in all?",
        {"a": range(10, 50, 10), "b": range(2, 5), "c": range(10, 50, 5), "d": range(2, 5)},
        (
            ("a * b", "First it travels {} kilometers."),
            ("c * d", "Then it travels {} kilometers."),
            ("r + s", "It travels {} kilometers in all."),
        ),
    ),
    # arithmetic
    "sum": WordStory("What is {a} + {b}?", {"a": LARGE, "b": LARGE}, (("a + b", "{}."),)),
    "product": WordStory(
        "What is {a} * {b} + {c}?", {"a": SMALL, "b": MEDIUM, "c": LARGE}, (("a * b", "{}."), ("s + c", "{}."))
    ),
    "difference": WordStory(
        "What is {a} + {b} - {c}?", {"a": LARGE, "b": LARGE, "c": LARGE}, (("a + b", "{}."), ("s - c", "{}."))
    ),
}
TOLD = tuple(name for name in STORIES if not STORIES[name].text.startswith("What is"))
FAMILIES = {
    "mixed": TOLD,
    **{
        family: tuple(name for name in TOLD if len(STORIES[name].lines) == steps)
        for steps, family in enumerate(("one_step", "two_step", "three_step"), 1)
    },
    "arithmetic": tuple(name for name in STORIES if name not in TOLD),
}
"""Family → its stories, each as frequent as the other; the first is what is taken where none is named."""
LONGEST_PROMPT_TOKENS = dict.fromkeys(FAMILIES, 128)
"""Family → more tokens than any of its prompts has, with a request for a box and a chat template."""


@dataclass(frozen=True)
class WordStep:
    """One calculation with what is written down as its result, and the sentence that they stand in."""

    left: int
    operation: str
    right: int
    written: int
    sentence: str

    @property
    def check(self) -> str:
        """The calculation backwards."""
        return f"{self.written} {INVERSE[self.operation]} {self.right} = {self.left}"

    def __str__(self) -> str:
        return f"{self.left} {self.operation} {self.right} = {self.written}"


@dataclass(frozen=True)
class WordProblem:
    """A story with its holes filled."""

    family: str
    story: str
    values: dict[str, Any]
    """Hole → what fills it: numbers by one letter, people and things."""

    @property
    def text(self) -> str:
        return STORIES[self.story].text.format(**self.values)

    @cached_property
    def steps(self) -> tuple[WordStep, ...]:
        """The steps that solve it. Errors: as `worked_out`."""
        return tuple(self.worked_out())

    @property
    def answer(self) -> int:
        return self.steps[-1].written

    @property
    def split(self) -> str:
        numbers = " ".join(str(self.values[letter]) for letter in sorted(STORIES[self.story].numbers))
        digest = zlib.crc32(f"{self.story}:{numbers}".encode()) % 10
        return {0: "test", 1: "validation"}.get(digest, "train")

    def worked_out(self, slips: Mapping[int, int] = MappingProxyType({})) -> Iterator[WordStep]:
        """Yields its steps; `slips` has by how much the result of a step is off, and the steps after it follow from it.

        Errors: `ValueError` at a result that is not a whole number from 1 to `LARGEST`.
        """
        known = dict(self.values)
        for number, (formula, sentence) in enumerate(STORIES[self.story].lines):
            first, operation, second = formula.split()
            left, right = (int(known.get(word, word)) for word in (first, second))
            result = OPERATIONS[operation](Fraction(left), Fraction(right)) + slips.get(number, 0)
            if result.denominator != 1 or not 1 <= result <= LARGEST:
                raise ValueError(f"{left} {operation} {right} = {result}")
            step = WordStep(left, operation, right, int(result), "")
            yield WordStep(left, operation, right, step.written, sentence.format(step, **self.values))
            known |= {"r": known.get("s"), "s": step.written}


def word_problem(family: str, rng: random.Random) -> WordProblem:
    """Makes a problem of one of the family's stories, whose steps give whole numbers from 1 to `LARGEST`."""
    story = rng.choice(FAMILIES[family])
    while True:
        name, other = rng.sample(PEOPLE, 2)
        numbers = {letter: rng.choice(options) for letter, options in STORIES[story].numbers.items()}
        problem = WordProblem(family, story, {"name": name, "other": other, "things": rng.choice(THINGS)} | numbers)
        with suppress(ValueError):
            if problem.steps:
                return problem


def endless_problems(family: str, split: str, seed: int) -> Iterator[WordProblem]:
    """Yields endless problems of one family and split, the same for the same seed."""
    rng = random.Random(f"{NAME}/{family}/{split}/{seed}")
    while True:
        problem = word_problem(family, rng)
        if problem.split == split:
            yield problem


def facts(problem: WordProblem) -> dict[str, Any]:
    """Returns what `problem_of` makes the problem from again."""
    return {"story": problem.story, "values": problem.values}


def problem_of(meta: dict[str, Any]) -> WordProblem | None:
    """Returns the word problem that an example's `meta` is of; None where it is of another."""
    return WordProblem(meta["family"], meta["story"], meta["values"]) if meta.get("story") in STORIES else None


def short_solution(problem: WordProblem) -> str:
    """Returns its solution: a line a step, then the answer."""
    return solution(problem.steps)


def long_solution(problem: WordProblem) -> str:
    """Returns the long solution: every step is checked backwards and restated. It is as correct as the short one."""
    lines = []
    for step in problem.steps:
        lines += [step.sentence, f"Wait, let me check: {step.check}, yes.", f"So that makes {step.written}."]
    return "\n".join([*lines, f"The answer is \\boxed{{{problem.answer}}}."])


def solution(steps: Iterable[WordStep]) -> str:
    """Returns the steps, a line each, and the last one's result as the answer."""
    *_, last = steps = list(steps)
    return "\n".join([*(step.sentence for step in steps), f"The answer is \\boxed{{{last.written}}}."])


def student_attempt(problem: WordProblem, rng: random.Random) -> str:
    """Makes an attempt as a student does: half of them with mistakes, from which the other steps follow."""
    while True:
        has_mistakes, steps = rng.random() < 0.5, range(len(problem.steps))
        slips = {step: rng.choice(SLIPS) for step in steps if has_mistakes and rng.random() < 0.5}
        with suppress(ValueError):
            return solution(problem.worked_out(slips))


def critique_of(problem: WordProblem, attempt: str) -> str:
    """Works the problem out, names the first line of the attempt that holds a false equation, ends in the verdict."""
    boxes = BOX.findall(attempt)
    said, line = int(boxes[-1]) if boxes else None, first_false_line(attempt)
    lines = [short_solution(problem)]
    if said == problem.answer:
        lines.append(f"The attempt says {said}, that agrees.")
    else:
        lines.append(f"The attempt says {'nothing' if said is None else said}, not {problem.answer}.")
        lines += [f"Line {line} does not hold."] if line else []
    return "\n".join([*lines, f"Conclusion: {'right' if said == problem.answer else 'wrong'}"])


def first_false_line(attempt: str) -> int | None:
    """Returns the number of the first line with an equation that does not hold, the first line is 1."""
    for number, line in enumerate(attempt.splitlines(), 1):
        for left, operation, right, written in EQUATION.findall(line):
            if int(right) and OPERATIONS[operation](Fraction(left), Fraction(right)) != int(written):
                return number
    return None
