"""What the page shows of a run's JSON files, which may be damaged: the shapes that they must have for it."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError


class Shown(BaseModel):
    """What the page shows of a file that may be damaged; more may stand in it."""

    model_config = ConfigDict(strict=True)


Interval = Annotated[list[FiniteFloat], Field(min_length=2, max_length=2)]


class Measure(Shown):
    """An accuracy, 0–1."""

    accuracy: FiniteFloat
    interval: Interval


class After(Measure):
    """How the run ended."""

    problems: FiniteFloat
    samples: FiniteFloat
    mean_tokens: FiniteFloat


class Gain(Shown):
    """In points."""

    points: FiniteFloat
    interval: Interval


class Result(Shown):
    """Of result.json, what the verdict is made of."""

    before: Measure
    after: After
    gain: Gain
    verdict: str


class Reply(Shown):
    """One judged reply."""

    text: str


class Asked(Shown):
    """One problem with its replies."""

    id: str
    replies: list[Reply]


class Evaluation(Shown):
    """Of evaluation.json, the replies on both sides."""

    before: list[Asked]
    after: list[Asked]


class Control(Measure):
    """One row: a reward, and what the same budget with it reached."""

    reward: str
    gain: Gain


class Beyond(Shown):
    """What the run gains over a control."""

    control: str
    gain: Gain
    verdict: str


class Chosen(Shown):
    """How held-out problems chose the run's step."""

    step: int
    steps: int
    accuracy: FiniteFloat
    last_accuracy: FiniteFloat


class Controls(Shown):
    """Of controls.json: the run's own row first, then one for each control."""

    runs: list[Control]
    beyond: list[Beyond]
    chosen: Chosen | None


def holds(kind: type[Shown], values: dict[str, Any]) -> bool:
    """Whether the values have what is shown of such a file."""
    try:
        kind.model_validate(values)
    except ValidationError:
        return False
    return True
