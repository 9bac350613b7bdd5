"""Completions that were sampled before and say whether they are correct: offline learning, nothing is sampled."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from tinyreason.data._source import Source
from tinyreason.data.columns import Columns, solutions_of, value_at
from tinyreason.data.dropped import Dropped
from tinyreason.data.files import Row
from tinyreason.data.rollout_rows import apart, read_rollouts, rollouts_file, told_correct
from tinyreason.errors import ConfigError
from tinyreason.example import Example
from tinyreason.schema import one_of

PREVIOUS = "previous"
TOLD = {"step": int, "reward": (int, float), "mu_logp": (int, float), "source": str}
"""What else a rollout says of itself that goes into its `meta` → its type."""


class Rollouts(Source):
    """Reads completions sampled before, by a run, a stage or a teacher, each correct or not; nothing is sampled.

    Why: what a run has sampled is paid for, and teaches again without a single new token: the correct ones to imitate
    (STaR, arXiv 2203.14465), the incorrect ones to move away from (REDI, arXiv 2505.24850; TOPR, arXiv 2503.14286).

    Reward hacking: what fooled the grader of that run is imitated like any other; and the first rollouts of a run are
    those of a weaker model.

    Example: `data: {kind: rollouts, run: runs/NAME, transforms: [{kind: outcome, keep: correct}]}`; a published set is
    `data: {kind: rollouts, name: open-r1/OpenR1-Math-220k, completion_column: generations, correct_columns:
    [correctness_math_verify]}`.
    """

    kind: Literal["rollouts"] = "rollouts"
    run: str | None = None
    """Folder of a run or stage; or `previous`, the last stage that sampled, to problems that file or name gives."""
    size: Annotated[int, Field(ge=1)] | None = None
    """Number of rollouts, from the first on; with run=previous of problems. Unset: all."""
    completion_column: str | None = None
    """The column that holds the completion, or a list of several to one problem, of which each becomes a row."""
    correct_columns: tuple[str, ...] = Field(("correct",), min_length=1)
    """Columns that say whether a completion is correct; where they disagree a row has no verdict and is left out."""
    correct_above: float = 0.5
    """Where a row has a `reward` and no verdict, it is correct above this."""
    truncated: bool = False
    """Whether completions that their token limit ended are trained on too."""

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        given = f"data.file={self.file}" if self.file else f"data.name={self.name}"
        if self.run in (None, PREVIOUS):
            if self.run is None and self.file is None and self.name is None:
                raise ConfigError(
                    "data.kind=rollouts reads what was sampled; type data.run=runs/NAME or data.file=FILE"
                )
            super()._check_source()
            if self.run is None and self.world:
                raise ConfigError(
                    f"no rollouts come with {self.world.title}; type data.run=runs/NAME or data.file=FILE"
                )
        elif self.file or self.name:
            raise ConfigError(f"data.run={self.run} holds its problems, and {given} is given; leave one of them out")
        return self

    def check(self, run, path: str) -> None:
        super().check(run, path)
        if path.startswith("evaluation."):
            raise ValueError(f"{path}.kind=rollouts holds completions, not problems to ask; type {path}.kind=problems")
        if self.is_sampled and path == "warmup.data":
            raise ValueError(f"{path}.run={PREVIOUS}: no stage comes before a warm-up; give the folder of a run")

    @property
    def is_sampled(self) -> bool:
        """Returns whether its completions are there only when the stages before are done."""
        return self.run == PREVIOUS

    @property
    def folder(self) -> Path | None:
        """Returns the folder of the run that is read; None where a file or data set is, or a stage before."""
        return None if self.run in (None, PREVIOUS) else Path(self.run).expanduser()

    def check_run(self) -> None:
        """Refuses a folder without rollouts. Errors: `FolderError`."""
        if self.folder:
            rollouts_file(self.folder)

    @cached_property
    def asked(self) -> Source | None:
        """Returns where the evaluation of the run that is read has its problems; None where that is not known."""
        from tinyreason.data import DATA

        try:
            values = yaml.safe_load((self.folder / "config.yaml").read_text(encoding="utf-8"))
            found = values["evaluation"].get("data") or values["data"]
            return TypeAdapter(one_of(DATA)).validate_python(found) if found["kind"] in DATA else None
        except (OSError, ValueError, yaml.YAMLError, ValidationError, AttributeError, KeyError, TypeError):
            return None

    @property
    def is_endless(self) -> bool:
        """Returns whether the problems of the run that is read are generated, as those that a name generates."""
        return bool(self.asked and self.asked.is_endless) if self.folder else super().is_endless

    def endless(self, split: str) -> Iterator[Example]:
        """Yields the generated problems of a split."""
        return self.asked.endless(split) if self.folder else super().endless(split)

    @property
    def is_taken_whole(self) -> bool:
        """Returns whether a test can only be held back from it; of a run's, its own source has others."""
        return not (self.folder and self.asked) and super().is_taken_whole

    @property
    def is_offline(self) -> bool:
        """Returns whether reading it needs no network."""
        return self.folder is not None or super().is_offline

    @property
    def max_prompt_tokens(self) -> int | None:
        """Returns the tokens of its longest prompt; None where it must be read to know."""
        return (self.asked and self.asked.max_prompt_tokens) if self.folder else super().max_prompt_tokens

    @property
    def origin(self) -> str:
        """Returns what messages call this source."""
        return f"the rollouts of {self.folder.name}" if self.folder else super().origin

    @property
    def columns(self) -> Columns:
        """Returns the columns that are named."""
        return Columns(self.problem_column, self.answer_column, self.completion_column)

    def rows(self, split: str | None = None) -> list[Row]:
        """Returns the rows as they stand there, one for each completion."""
        return read_rollouts(self.folder)[0] if self.folder else super().rows(split)

    def read(self, rows: list[Row], dropped: Dropped) -> Iterator[tuple[int, Example]]:
        """Yields (place, problem with its completion); of run=previous the problems alone."""
        if self.is_sampled:
            yield from super().read(rows, dropped)
        else:
            yield from self.stored(rows, dropped)

    def stored(self, rows: list[Row], dropped: Dropped) -> Iterator[tuple[int, Example]]:
        """Yields (place, problem with its completion, as it was sampled) of rollouts that have a verdict and an end."""
        rows = list(apart(rows, self.completion_column, self.correct_columns))
        asked = [row | ({"prompt": row["messages"]} if {"prompt", "messages"} <= row.keys() else {}) for row in rows]
        for place, example in solutions_of(asked, self.columns, dropped):
            row, correct = rows[place], told_correct(rows[place], self.correct_columns, self.correct_above)
            if correct is None:
                wanted = "give it a column 'correct' or 'reward', or type data.kind=solutions"
                dropped.add(
                    "verdict", example.id, f"{dropped.origin} row {place + 1} does not say if it is correct; {wanted}."
                )
            elif row.get("truncated") is True and not self.truncated:
                dropped.leave_out("whole completion", example.id, f"all of {dropped.origin} are truncated.")
            else:
                yield place, self.as_sampled(example, row, correct, place)

    def as_sampled(self, example: Example, row: Row, correct: bool, place: int) -> Example:
        """Returns an example with its completion word for word, and in its `meta` what the rollout says of itself."""
        text = value_at(row, self.completion_column or "completion")
        text = text if isinstance(text, str) else example.completion
        is_its_own = example.answer.strip() == text.strip()  # what it marks itself, as no column holds an answer
        told = {name: row[name] for name, kind in TOLD.items() if isinstance(row.get(name), kind)}
        problem = example.meta.get("problem_id")
        return replace(
            example,
            id=example.id if problem is None else f"{problem}#{place}",
            completion=text,
            answer="" if is_its_own and not correct else example.answer,
            meta=example.meta | told | {"correct": correct},
        )

    def load(self, needs_answers: bool = True) -> list[Example]:
        """Returns the rollouts in the order in which they were sampled; of run=previous their problems."""
        if self.is_sampled:
            return self.pool(self.size, needs_answers)
        rows, broken = read_rollouts(self.folder) if self.folder else (self.rows(), [])
        return self.of_rows(rows, broken, self.size)

    def of_rows(self, rows: list[Row], broken: list[int] = (), size: int | None = None) -> list[Example]:
        """Returns the rollouts of these rows, and says what is left out. Errors: `DataError` where all are.

        `broken` are the numbers of lines that hold none.
        """
        dropped = self.dropped()
        for number in broken:
            dropped.leave_out("whole line", f"line {number}", f"{self.origin} holds no line that can be read.")
        examples = [example for _, example in islice(self.stored(rows, dropped), size)]
        self.check_size(examples, size, dropped)
        return examples

    def held_out(self, count: int, purpose: Literal["test", "validation"], without: set[str]) -> list[Example]:
        """Returns at most `count` problems that the rollouts are not of, from where their run has its own."""
        if self.folder and self.asked:
            return self.asked.held_out(count, purpose, without | {id.rpartition("#")[0] for id in without})
        return super().held_out(count, purpose, without)

    def describe(self) -> str:
        """Returns what is trained on, in a few words."""
        if self.is_sampled:
            size = self.size or self.usual_size
            return f"the rollouts of the stage before to {f'{size:,}' if size else 'all'} problems of {self.origin}"
        which = f"the first {self.size:,}" if self.size else "all"
        return f"{which} of {self.origin}" if self.folder else f"{which} rollouts of {self.origin}"
