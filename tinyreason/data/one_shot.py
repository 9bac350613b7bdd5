"""Reads one problem, to be trained on again and again."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from tinyreason.data._source import Source
from tinyreason.errors import ConfigError, DataError, NoAnswers
from tinyreason.example import Example


class OneShot(Source):
    """Reads exactly one problem: the whole training set of 1-shot RLVR.

    Why: reinforcement learning on one well-chosen problem lifts Qwen2.5-Math-1.5B on MATH500 from 36.0 to 72.8, near
    what the pool of 1,209 gives (Wang et al. 2025, arXiv 2504.20571). Choose it with `tinyreason select`.

    Reward hacking: without a KL penalty the model memorises the one answer, so the training reward says nothing; only
    unseen problems do. A problem that is always or never solved has no gradient.

    Example: `data: {kind: one_shot, file: dsr_sub.parquet, index: 124}` is the paper's pi_1, the wind on a sail.
    """

    is_one_prompt: ClassVar[bool] = True

    kind: Literal["one_shot"] = "one_shot"
    index: Annotated[int, Field(ge=0)] | None = None
    """Which problem, by its place in the source, the first is 0 (in DSR-sub this equals `extra_info.index`)."""
    id: Annotated[str, Field(coerce_numbers_to_str=True)] | None = None
    """Which problem, by its id: the row's `id`, `unique_id` or `extra_info.index`, `chain/train/17` of the sandbox."""

    @model_validator(mode="after")
    def _check_choice(self) -> Self:
        if (self.index is None) == (self.id is None):
            given = "neither" if self.id is None else "both"
            raise ConfigError(f"{given} of data.index and data.id are given; type data.index=NUMBER or data.id=ID")
        return self

    def load(self, needs_answers: bool = True) -> list[Example]:
        """Returns the one problem."""
        first, dropped = None, self.dropped(needs_answers)
        for position, example in self.numbered(dropped=dropped):
            first = first or example
            if position == self.index or example.id == self.id:
                if needs_answers and not example.answer:
                    raise NoAnswers(f"{self.describe()} has no answer to train on; choose another.")
                return [example]
        if first is None:
            raise DataError(dropped.first)
        if self.id is None and self.index < position:
            raise DataError(f"{self.describe()} is empty; choose another.")
        if self.id is None:
            has = f"{self.origin} has {position + 1:,} problems, 0 to {position}"
            raise DataError(f"data.index={self.index}, but {has}.")
        raise DataError(f"{self.origin} has no data.id={self.id}; its ids go from {first.id} to {example.id}.")

    def describe(self) -> str:
        """Returns what is trained on, in a few words."""
        return f"problem {self.index if self.id is None else self.id} of {self.origin}"
