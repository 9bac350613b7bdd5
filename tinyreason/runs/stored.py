"""What every JSON file of a run shares: how it is read and written again, and how a model did on an evaluation."""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

Number = int | FiniteFloat
"""Finite, and written again as it was read: 1 stays 1."""
Interval = Annotated[list[Number], Field(min_length=2, max_length=2)]
"""[low, high] at 95 %."""


class Stored(BaseModel):
    """What a JSON file holds. Files may be damaged, older, or hold more: further keys are kept as they are."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")

    def as_json(self) -> dict[str, Any]:
        """Returns what the file holds: the keys that were set, in the order of the fields."""
        return self.model_dump(exclude_unset=True, by_alias=True)


Kind = TypeVar("Kind", bound=Stored)


class ConfidenceFit(Stored):
    """How well the confidences that completions state fit what was correct; `brier` and `ece` are best at 0."""

    share: Number
    """How many of all completions state one, 0–1; all else is of these."""
    mean: Number
    brier: Number
    ece: Number
    auroc: Number | None = None
    """None where all are correct, or none."""


class Side(Stored):
    """How a model did on an evaluation's problems; accuracy and `truncated` are shares, 0–1."""

    accuracy: Number
    interval: Interval
    mean_tokens: Number
    truncated: Number | None = None
    problems: int
    samples: int
    """Completions to each problem."""
    confidence: ConfidenceFit | None = None
    """None where no completion states one."""
