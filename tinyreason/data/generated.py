"""Reads problems that a task makes on the way, without a file or a network."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tinyreason.data._source import Source
from tinyreason.data.tasks import TASKS, Task
from tinyreason.data.worlds import SPLITS
from tinyreason.errors import ConfigError, DataError, nearest
from tinyreason.example import Example
from tinyreason.schema import one_of, one_or_several

PROMPTS_OF = {
    "box": ("plain", "boxed", "boxed_system", "re2", "self_ask", "one_shot_cot", "right_wrong", "concepts"),
    "answer": ("plain", "think_answer"),
}
"""What holds the answer → the prompts that ask for nothing else."""


class Generated(Source):
    """Makes problems that check themselves: puzzles, formulas, sums, each with a level and a worked trace.

    Why: nobody has published them, so no base has seen their tests, and they are as easy or hard as is wanted (SATURN,
    arXiv 2505.16368; Logic-RL, arXiv 2502.14768).

    Reward hacking: what a task's file says; an easy level can be guessed.

    Example: `data: {kind: generated, task: {kind: knights_knaves, people: 3}, size: 2000}`.
    """

    kind: Literal["generated"] = "generated"
    task: one_or_several(one_of(TASKS))
    """What is made, and at which level; of several tasks in a list each in turn, a domain each."""
    size: Annotated[int, Field(ge=1)] | None = None
    """Number of problems; unset: 2,000."""
    seed: int = 0
    """Other problems of the same split for another seed; the splits never share any, whatever the seeds."""
    traces: bool = False
    """Whether each problem comes with a worked trace, to imitate in supervised fine-tuning or a warm-up."""

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if self.file or self.name:
            given = f"data.file={self.file}" if self.file else f"data.name={self.name}"
            raise ConfigError(f"data.kind=generated makes its problems, and {given} is given; leave one of them out")
        if self.split not in SPLITS:
            raise ConfigError(f"there is no split '{self.split}' of generated problems{nearest(self.split, SPLITS)}")
        return self

    def check(self, run, path: str) -> None:
        super().check(run, path)
        for task in self.tasks:
            if self.traces and not task.has_traces:
                raise ValueError(f"{path}.traces=true: {task.kind} has no worked traces; leave {path}.traces out")
            fitting = PROMPTS_OF[task.mark]
            if run.prompt not in fitting:
                raise ValueError(
                    f"{path}.task.mark={task.mark} and prompt={run.prompt} ask for the answer in two places; type "
                    f"prompt={fitting[0]}, or another mark"
                )

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks, be they one or several."""
        return self.task if isinstance(self.task, tuple) else (self.task,)

    @property
    def is_endless(self) -> bool:
        """Returns that it never ends."""
        return True

    @property
    def origin(self) -> str:
        """Returns what messages call this source."""
        kinds = list(dict.fromkeys(task.kind for task in self.tasks))
        return f"the generated task{'s' if len(kinds) > 1 else ''} {' and '.join(kinds)}"

    def endless(self, split: str) -> Iterator[Example]:
        """Yields the problems of a split, of several tasks one of each in turn, until one has no others."""
        if not isinstance(self.task, tuple):
            return self.task.examples(split, self.seed, self.traces)
        by_task = [of_domain(task, number, split, self.seed, self.traces) for number, task in enumerate(self.task, 1)]
        return (example for turn in zip(*by_task, strict=False) for example in turn)

    def load(self, needs_answers: bool = True) -> list[Example]:
        """Returns the problems. Errors: `DataError` where the task has not so many."""
        wanted = self.size or self.usual_size
        found = list(islice(self.endless(self.split), wanted))
        if len(found) < wanted:
            raise DataError(
                f"{self.origin} makes {len(found):,} different problems at this level, not {wanted:,}; lower "
                f"data.size, or raise its level in data.task."
            )
        return found

    def describe(self) -> str:
        """Returns what is trained on, in a few words."""
        return f"{self.size or self.usual_size:,} {'worked ' if self.traces else ''}problems of {self.origin}"


def of_domain(task: Task, number: int, split: str, seed: int, traces: bool) -> Iterator[Example]:
    """Yields the problems of the task with this number in a list, with ids and a domain of its own."""
    for example in task.examples(split, seed, traces):
        yield replace(example, id=f"{number}/{example.id}", meta=example.meta | {"domain": f"{number} {task.kind}"})
