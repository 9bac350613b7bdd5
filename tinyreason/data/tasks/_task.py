"""Holds what every task shares: its levels, its splits, how it asks for the answer, and how a worked trace ends."""

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator

from tinyreason.example import Example
from tinyreason.schema import Schema

MOST_REPEATS = 20_000
"""So many problems in a row that have been made before, or are of another split, say that there are no others."""


@dataclass(frozen=True)
class Puzzle:
    """One problem of a task, with its answer."""

    text: str
    answer: str
    level: int
    """How hard it is, by the task's own measure: people, clauses, numbers, steps."""
    key: str
    """What decides the split: the problem without its names, so that no two splits share it under other names."""
    facts: Any = None
    """What the trace is written from."""
    grader: str = "math"
    options: dict[str, Any] = field(default_factory=dict)
    """Options of the grader, as JSON holds them."""

    @property
    def split(self) -> str:
        """Returns `train`, `validation` or `test`, by a hash and whatever the seed."""
        return {0: "test", 1: "validation"}.get(zlib.crc32(self.key.encode()) % 10, "train")


class Task(Schema):
    """Makes endless problems of one kind; its options are its level."""

    form: ClassVar[str]  # what the answer looks like, after "give the answer"
    has_traces: ClassVar[bool] = True  # whether it can work its problems out
    mark: Literal["box", "answer"] = "box"
    """What holds the answer, in the request and in traces: `\\boxed{}`, or the tags `<answer>` and `</answer>`."""

    def check_installed(self) -> None:
        """Raises `DataError` where a package that it needs is not installed."""

    def make(self, rng: random.Random) -> Puzzle:
        """Makes a problem of any split."""
        raise NotImplementedError

    def trace(self, puzzle: Puzzle, rng: random.Random) -> tuple[list[str], str]:
        """Works the problem out; returns a line a step, and the answer that they reach."""
        raise NotImplementedError

    def puzzles(self, split: str, seed: int = 0) -> Iterator[Puzzle]:
        """Yields different problems of one split, the same for the same seed, until no others are found."""
        rng, seen, repeats = random.Random(f"{type(self).__name__}/{split}/{seed}"), set(), 0
        while repeats < MOST_REPEATS:
            puzzle = self.make(rng)
            repeats += 1
            if puzzle.split == split and puzzle.text not in seen:
                seen.add(puzzle.text)
                repeats = 0
                yield puzzle

    def examples(self, split: str, seed: int = 0, has_traces: bool = False) -> Iterator[Example]:
        """Yields the problems as examples, with a worked trace to imitate where that is wanted."""
        name = self.kind  # every task has one
        for position, puzzle in enumerate(self.puzzles(split, seed)):
            meta = {"domain": name, "level": puzzle.level} | ({"grader": puzzle.options} if puzzle.options else {})
            yield Example(
                id=f"{name}/{split}/{position}",
                messages=({"role": "user", "content": f"{puzzle.text}\n{self.request}".rstrip()},),
                answer=puzzle.answer,
                completion=self.completion(puzzle) if has_traces else None,
                meta=meta,
                grader=puzzle.grader,
            )

    @property
    def request(self) -> str:
        """Returns the line that asks for reasoning in its tags and the answer in its mark."""
        where = f"{'inside' if self.mark == 'box' else 'between'} {self.marked('')}"
        return f"Reason between <think> and </think>, then give the answer {self.form} {where}."

    def marked(self, answer: str) -> str:
        """Returns an answer in its mark."""
        if self.mark == "box":
            return f"\\boxed{{{answer}}}"
        return f"<answer>{answer}</answer>" if answer else "<answer> and </answer>"

    def completion(self, puzzle: Puzzle) -> str:
        """Returns the worked trace, and behind it the answer; the same for the same problem."""
        lines, answer = self.trace(puzzle, random.Random(puzzle.text))
        return "\n".join(["<think>", *lines, "</think>", self.marked(answer)])


def between(low: int, high: int) -> Any:
    """Returns the type of an option that is one level, or [least, most] of which each is as frequent as the other."""

    def as_pair(value: Any) -> Any:
        return (value, value) if isinstance(value, int) else value

    def within(pair: tuple[int, int]) -> tuple[int, int]:
        if not low <= pair[0] <= pair[1] <= high:
            raise ValueError(f"{list(pair)} is not within {low} and {high}; give one number, or [least, most]")
        return pair

    return Annotated[tuple[int, int], BeforeValidator(as_pair), AfterValidator(within)]
