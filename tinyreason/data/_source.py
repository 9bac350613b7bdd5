"""Holds what every kind of data shares: a file, a hub data set or a generated world, and what training must not see."""

import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import field_validator, model_validator

from tinyreason.data.columns import Columns, problems_of
from tinyreason.data.dropped import Dropped
from tinyreason.data.files import Row, read_hub, read_rows
from tinyreason.data.held_back import nothing_to_ask
from tinyreason.data.transforms import TRANSFORMS
from tinyreason.data.worlds import SPLITS, World, world_of
from tinyreason.errors import ConfigError, DataError, NoAnswers, nearest
from tinyreason.example import Example, different
from tinyreason.schema import Schema, one_of

ENDLESS_SIZE = 100_000
"""Generated problems never end; so many of a family and split have an id."""
ENDLESS_POOL = 2_000
"""So many of them are taken where nobody says how many."""


class Source(Schema):
    """Reads problems with gold answers from one place."""

    runs_code: ClassVar[bool] = False  # whether reading it runs code of the person's own
    is_one_prompt: ClassVar[bool] = False  # whether all rows of a step have one and the same prompt
    is_sampled: ClassVar[bool] = False  # whether its completions are there only when training begins

    file: Path | None = None
    """A .jsonl, .json, .parquet, .csv or .tsv file, relative to the current folder. Give this or `name`."""
    name: str | None = None
    """`sandbox`, `words`, a family of them as `sandbox:compare`, or a data set on the hub such as `openai/gsm8k`."""
    split: str = "train"
    """Which split of the hub data set or of generated problems. A file has none."""
    subset: str | None = None
    """Which configuration of the hub data set, `main` for `openai/gsm8k`."""
    hub_file: str | None = None
    """Which file of the hub data set, where its files are sets of their own: `DSR-CFT-p0.jsonl`."""
    problem_column: str | None = None
    """The column that holds the problem, `a.b` or `messages.0.content` for a nested one; the usual ones are found."""
    answer_column: str | None = None
    """The column that holds the gold answer, `a.b` for a nested one; without one it is what the completion marks."""
    encoding: str | None = None
    """How the file's text is encoded, as `cp1252`; unset: UTF-8, or UTF-16 where its byte order mark says so."""
    grader: Literal["math", "choice", "label", "assignment", "abstain"] = "math"
    """What may make an answer correct, where a row's own `grader` does not say it, as in docs/grading.md."""
    strict: bool = False
    """Whether a row without a problem, completion or answer ends the run; else it is left out and counted."""
    transforms: tuple[one_of(TRANSFORMS), ...] = ()
    """What chooses, rewrites or weighs the rows that are trained on, in order; the test is never transformed."""

    @field_validator("encoding")
    @classmethod
    def _check_encoding(cls, name: str | None) -> str | None:
        try:
            "".encode(name or "utf-8")
        except LookupError:
            raise ValueError(f"Python knows no text encoding '{name}'; common are cp1252, utf-16 and utf-8") from None
        return name

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if (self.file is None) == (self.name is None):
            given = "neither" if self.file is None else "both"
            choice = "data.file=PATH, data.name=sandbox, data.name=words or a hub id such as data.name=openai/gsm8k"
            raise ConfigError(f"{given} of data.file and data.name are given; type {choice}")
        if self.world and self.family not in self.world.families:
            hint = nearest(self.family, self.world.families)
            raise ConfigError(f"there is no family '{self.family}' of {self.world.title}{hint}")
        if self.world and self.split not in SPLITS:
            raise ConfigError(f"there is no split '{self.split}' of {self.world.title}{nearest(self.split, SPLITS)}")
        return self

    def check(self, run, path: str) -> None:
        if self.transforms and path.startswith("evaluation."):
            raise ValueError(f"{path}.transforms: only what is trained on is transformed; leave them out here")
        if run.is_offline and not self.is_offline:
            raise ValueError(
                f"the {run.tier} tier never uses the network, and {path}.name={self.name} is a hub id; give a local "
                f"file with {path}.file=, or choose another tier with --on"
            )

    @property
    def world(self) -> World | None:
        """Returns the world that makes its problems; None for a file or a hub data set."""
        return world_of(self.name)

    @property
    def family(self) -> str | None:
        """Returns the family of generated problems; None for a file or a hub data set."""
        return ((self.name or "").partition(":")[2] or self.world.families[0]) if self.world else None

    @property
    def is_endless(self) -> bool:
        """Returns whether it never ends, as generated problems: take a slice of it."""
        return self.world is not None

    def endless(self, split: str) -> Iterator[Example]:
        """Yields the generated problems of a split, always the same."""
        return self.world.examples(self.family, split)

    @property
    def is_taken_whole(self) -> bool:
        """Returns whether all of it is trained on, so that a test can only be held back."""
        return "size" in type(self).model_fields and self.size is None and not self.is_endless

    @property
    def is_offline(self) -> bool:
        """Returns whether reading it needs no network: a file or generated problems."""
        return self.file is not None or self.is_endless

    @property
    def usual_size(self) -> int | None:
        """Returns how many problems are taken where nobody says how many; None is all."""
        return ENDLESS_POOL if self.is_endless else None

    @property
    def max_prompt_tokens(self) -> int | None:
        """Returns the tokens of its longest prompt, chat template included; None where it must be read to know."""
        return self.world.longest_prompt_tokens[self.family] if self.world else None

    @property
    def usual_attempts_by(self) -> tuple[str, ...]:
        """Returns who makes attempts at its problems where nobody is named: the oracle at those of a world."""
        return ("oracle",) if self.world else ()

    @property
    def origin(self) -> str:
        """Returns what messages call this source."""
        return self.file.name if self.file else f"{self.world.title} ({self.family})" if self.world else str(self.name)

    @property
    def columns(self) -> Columns:
        """Returns the columns that are named."""
        return Columns(self.problem_column, self.answer_column)

    def examples(self, split: str | None = None) -> Iterator[Example]:
        """Yields all of it in order, also rows with an empty answer; generated problems are made on the way."""
        return (example for _, example in self.numbered(split))

    def numbered(self, split: str | None = None, dropped: Dropped | None = None) -> Iterator[tuple[int, Example]]:
        """Yields (place in the source, example), less the places that hold no problem; `dropped` is told which."""
        split = split or self.split
        if self.is_endless:
            return enumerate(islice(self.endless(split), ENDLESS_SIZE))
        found = self.read(self.rows(split), dropped or self.dropped())
        if self.grader == "math":
            return found
        return ((n, replace(one, grader=self.grader) if one.grader == "math" else one) for n, one in found)

    def read(self, rows: list[Row], dropped: Dropped) -> Iterator[tuple[int, Example]]:
        """Yields (place, example) of these rows; a kind of data whose rows hold more reads more."""
        return problems_of(rows, self.columns, dropped)

    def dropped(self, needs_answers: bool = True) -> Dropped:
        """Returns what counts the rows that are left out."""
        return Dropped(self.origin, self.strict, needs_answers)

    def rows(self, split: str | None = None) -> list[Row]:
        """Returns the rows of the file or hub data set as they stand there."""
        if self.file:
            return read_rows(self.file, self.encoding)
        return read_hub(str(self.name), self.subset, split or self.split, self.hub_file)

    def solved(self, count: int, rambling: float = 0.0) -> list[Example]:
        """Returns the first `count` generated problems with their solution, of this share of them the long one."""
        world, rng = self.world, random.Random(0)
        problems = islice(world.generate(self.family, self.split, 0), count)
        return [
            replace(example, completion=(world.rambling if rng.random() < rambling else world.worked)(problem))
            for example, problem in zip(islice(self.examples(), count), problems, strict=True)
        ]

    def pool(self, size: int | None = None, needs_answers: bool = True) -> list[Example]:
        """Returns the first `size` problems that have an answer; None is all of them, of generated ones 2,000.

        Where no answers are needed those without count too.
        """
        size, dropped = size or self.usual_size, self.dropped(needs_answers)
        found = []
        for place, example in self.numbered(dropped=dropped):
            if example.answer or not needs_answers:
                found.append(example)
            else:
                dropped.add("answer", example.id, f"{self.origin} row {place + 1} has no answer; give it one.")
            if len(found) == size:
                break
        self.say(dropped)
        if not found and "answer" in dropped.ids:
            raise NoAnswers(f"{self.origin} has no problem with an answer.")
        if not found:
            raise DataError(dropped.first)
        if size and len(found) < size:
            kind = " with an answer" if needs_answers else ""
            raise DataError(
                f"{self.origin} has {len(found):,} problems{kind}, not {size:,}; lower data.size (null = all)."
            )
        return found

    def check_size(self, examples: list[Example], size: int | None, dropped: Dropped) -> None:
        """Says what was dropped. Errors: `DataError` where nothing is left, or fewer rows than are asked for."""
        self.say(dropped)
        if not examples:
            raise DataError(dropped.first)
        if size and len(examples) < size:
            raise DataError(f"{self.origin} has {len(examples):,} rows, not {size:,}; lower data.size (null = all).")

    def say(self, dropped: Dropped) -> None:
        """Says in one line which rows are left out, where any are."""
        if dropped.ids:
            print(dropped, file=sys.stderr)

    def held_out(self, count: int, purpose: Literal["test", "validation"], without: set[str]) -> list[Example]:
        """Returns at most `count` problems that training never saw; test and validation share none.

        `without` holds the ids trained on. Generated problems have a split for each purpose. The different problems
        of a file or hub split are dealt in a fixed shuffled order, one to the test, one to the validation.
        """
        if self.is_endless:
            return list(islice((e for e in self.examples(purpose) if e.id not in without), count))
        examples = [example for _, example in self.numbered(dropped=self.dropped(needs_answers=False))]
        trained = {example.identity for example in examples if example.id in without}
        dealt = different(example for example in examples if example.answer)
        if not dealt:
            raise nothing_to_ask(self.origin, purpose)
        random.Random(0).shuffle(dealt)
        share = dealt[("test", "validation").index(purpose) :: 2]
        left = [example for example in share if example.identity not in trained][:count]
        if not left:
            left_none = f"training on {self.origin} leaves no problem for the {purpose}"
            raise DataError(f"{left_none}; train on fewer or set evaluation.data.")
        return left
