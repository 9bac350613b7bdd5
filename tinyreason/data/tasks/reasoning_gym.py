"""Problems of the library reasoning-gym: arithmetic, algebra, logic, grids, graphs, words, games, each with a ladder.

Why: a breadth of tasks that nobody has to write again, made on the way, with their scorers (arXiv 2505.24760).
Formula: one random problem of the task `name` at a time; `level` sets all of the task's difficulties to that rung of
the library's own ladder, `config` single ones by the library's names. The split is a hash of the problem's text: by
seed it would leak, since problem i of seed s is problem i − 1 of seed s + 1. There are no worked traces.
Reward hacking: what the task allows; yes or no, True or False is a guess that is correct half of the time. Which tasks
there are, and why not the others, stands in the grader of this name.
Not checked against the paper: which tasks and levels its models were trained on.
Example: `data: {kind: generated, task: {kind: reasoning_gym, name: maze, level: 1}, size: 2000}`.
"""

import random
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from tinyreason.data.tasks._task import Puzzle, Task
from tinyreason.errors import DataError
from tinyreason.grading.answers import MAX_ANSWER_CHARS
from tinyreason.grading.gym import SafeName, check_reasoning_gym

MOST_PROBLEMS = 2**31
MOST_TRIES = 50


class ReasoningGym(Task):
    """Makes problems of a task of the library reasoning-gym, an extra; the level is the library's."""

    form: ClassVar[str] = "in the form that is asked for"
    has_traces: ClassVar[bool] = False
    kind: Literal["reasoning_gym"] = "reasoning_gym"
    name: SafeName = "chain_sum"
    """The task, by the library's name."""
    level: Annotated[int, Field(ge=0)] | None = None
    """The rung of the library's ladder, 0 the easiest, its last where there are fewer; unset: the task's defaults."""
    config: dict[str, Any] = {}
    """Options of the task by the library's names, over what the level says: `{min_terms: 5, max_terms: 5}`."""

    def check_installed(self) -> None:
        """Raises `DataError` where the library is not installed."""
        check_reasoning_gym()

    def make(self, rng: random.Random) -> Puzzle:
        """Makes a problem. Errors: `DataError` where the library refuses the level or an option."""
        check_reasoning_gym()
        source = _source(self.model_dump_json())
        tried = (source[rng.randrange(MOST_PROBLEMS)] for _ in range(MOST_TRIES))
        entry = next((one for one in tried if 0 < len(one["answer"]) <= MAX_ANSWER_CHARS), None)
        if entry is None:
            raise DataError(
                f"data.task.name={self.name} with level={self.level} and config={self.config} has answers longer than "
                f"{MAX_ANSWER_CHARS:,} characters; give a lower level."
            )
        text = entry["question"].strip()
        options = {"name": self.name, "metadata": entry["metadata"]}
        return Puzzle(text, entry["answer"], self.level or 0, text, None, "reasoning_gym", options)


@lru_cache(maxsize=64)
def _source(options: str) -> Any:
    """Returns the library's problems, of one seed; which of them is taken is ours to choose."""
    from reasoning_gym.factory import CURRICULA, DATASETS

    task = ReasoningGym.model_validate_json(options)
    kind, config = DATASETS[task.name]
    try:
        values = {"seed": 0}
        if task.level is not None:
            if task.name not in CURRICULA:
                raise ValueError("it has no levels")
            ladder = CURRICULA[task.name]()
            ladder.set_global_level(task.level)
            values = vars(ladder.generate_configuration(values))
        made = config(**(values | task.config))
        return kind(made)
    except (AssertionError, TypeError, ValueError) as error:
        raise DataError(
            f"reasoning-gym refuses data.task.name={task.name} with level={task.level} and config={task.config}: "
            f"{str(error).removesuffix('.')}; give another level or config."
        ) from None
