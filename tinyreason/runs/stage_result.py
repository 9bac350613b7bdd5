"""What a training before the run's own found: a warm-up or a stage, as `stage.json` in its folder holds it."""

import json
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from tinyreason.runs.stored import Number, Side, Stored

STAGE, SAMPLED, TRANSFORMED = "stage.json", "samples.json", "data.json"
STAGE_SCORE = "evaluation.json"
"""In a stage's folder, where it is measured."""


class RowsChange(Stored):
    """What sampling, or a transform, made of the rows that are trained on."""

    by: str
    """`sampled`, or the transform."""
    before: int
    after: int
    why: str


class StageResult(Stored):
    """A training before the run's own, once it is done."""

    name: str = "stage"
    """Of its folder: `warmup`, or its number and name."""
    trainer: str | None = None
    data: str | None = None
    """What it trained on, in a few words."""
    rows: int | None = None
    rows_changed: list[RowsChange] = []
    steps: int
    at_most: int | None = None
    """How many steps it might have taken."""
    ended: str | None = None
    """What ended it before that."""
    seconds: Number | None = None
    """Over all sessions, less what was lost when one was killed."""
    score: Side | None = None
    """Of the run's evaluation after it, where it is measured."""


def stage_places(run: Path) -> list[Path]:
    """Returns the folders of a run's warm-up and stages, in their order."""
    stages = [path for path in run.glob("stages/*-*") if path.name.partition("-")[0].isdecimal()]
    stages.sort(key=lambda path: int(path.name.partition("-")[0]))
    return [place for place in (run / "warmup", *stages) if place.is_dir()]


def read_stage(place: Path) -> StageResult | None:
    """Returns what a stage found, with its score; None where it is not done, or its file is damaged."""
    try:
        values = json.loads((place / STAGE).read_text(encoding="utf-8"))
        found = StageResult.model_validate(values | {"name": place.name})
    except (OSError, ValueError, TypeError, ValidationError):
        return None
    with suppress(OSError, ValueError, AttributeError, ValidationError):
        score = json.loads((place / STAGE_SCORE).read_text(encoding="utf-8"))
        side = Side.model_validate({name: value for name, value in score.items() if name in Side.model_fields})
        found = found.model_copy(update={"score": side})
    return found


def finished_stages(run: Path) -> list[StageResult]:
    """Returns what each warm-up and stage of a run found that is done."""
    return [found for place in stage_places(run) if (found := read_stage(place))]


def rows_changed(place: Path) -> list[RowsChange]:
    """Returns what sampling and transforms made of the rows of a run or stage; none where that is damaged."""
    found = []
    for name in (SAMPLED, TRANSFORMED):
        with suppress(OSError, ValueError, KeyError, TypeError, ValidationError):
            values = json.loads((place / name).read_text(encoding="utf-8"))["rows_changed"]
            found += [RowsChange.model_validate(value) for value in values]
    return found
