"""The trainings of a run that has several: what each was, what its rows became, how it did, and their curves."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tinyreason.reporting.charts import CHARTS, DIGITS, ChartWithLines
from tinyreason.runs.reader import StoredRun, is_number
from tinyreason.runs.stage_result import RowsChange, StageResult

OWN = "the run's own"
SHOWN = ("reward/mean", "loss", "validation/accuracy", "length/mean_tokens")
"""Whose curves are shown across the trainings."""


@dataclass(frozen=True)
class StageRow:
    """What the page says of a training, ready to print; empty where it is not known yet."""

    name: str
    trainer: str
    data: str
    changes: list[str]
    """What sampling and each transform made of its rows."""
    rows: str
    steps: str
    minutes: str
    score: str
    """Share of correct completions after it."""
    interval: str


def stage_rows(run: StoredRun) -> list[StageRow]:
    """Returns the warm-up and the stages in their order, then the run's own training; none where there is but that."""
    if not run.stages:
        return []
    done = [stage_row(stage.result) if stage.result else going_row(stage.name, stage.metrics) for stage in run.stages]
    return [*done, own_row(run)]


def stage_row(stage: StageResult) -> StageRow:
    """Returns what is said of a stage that is done."""
    score, interval = "", ""
    if stage.score:
        low, high = stage.score.interval
        score, interval = f"{stage.score.accuracy:.1%}", f"{100 * low:.1f} – {100 * high:.1f}"
    return StageRow(
        name=stage.name,
        trainer=stage.trainer or "",
        data=stage.data or "",
        changes=[*map(change_in_words, stage.rows_changed), *([f"ended early: {stage.ended}"] if stage.ended else [])],
        rows="" if stage.rows is None else f"{stage.rows:,}",
        steps=f"{stage.steps} of {stage.at_most}" if stage.ended else str(stage.steps),
        minutes="" if stage.seconds is None else f"{stage.seconds / 60:.1f}",
        score=score,
        interval=interval,
    )


def going_row(name: str, metrics: list[dict[str, Any]]) -> StageRow:
    """Returns what is said of a stage that is not done."""
    step = max((row["step"] for row in metrics), default=0)
    return StageRow(name, "", "not done", [], "", f"{step} so far", "", "", "")


def own_row(run: StoredRun) -> StageRow:
    """Returns what is said of the run's own training."""
    result = run.result
    if result is None:
        return going_row(OWN, run.metrics)
    low, high = result.after.interval
    train_s, changes = result.seconds.get("train"), result.training.rows_changed
    return StageRow(
        name=OWN,
        trainer=str(run.config.get("trainer") or ""),
        data=result.training.problems or "",
        changes=list(map(change_in_words, changes)),
        rows=f"{changes[-1].after:,}" if changes else "",
        steps=str(result.training.steps or ""),
        minutes="" if train_s is None else f"{train_s / 60:.1f}",
        score=f"{result.after.accuracy:.1%}",
        interval=f"{100 * low:.1f} – {100 * high:.1f}",
    )


def change_in_words(change: RowsChange) -> str:
    """Returns `fair: 200 rows → 80: 120 more than n`."""
    return f"{change.by}: {change.before:,} rows → {change.after:,}: {change.why}"


def stage_charts_of(runs: list[StoredRun]) -> list[ChartWithLines]:
    """Returns charts in which the trainings of each run follow one another, a line each; none without stages."""
    charts = [
        ChartWithLines(
            f"{chart.title}, stage by stage",
            chart.meaning,
            chart.measured_in,
            chart.is_share,
            counts="step of all stages together",
            lines=[line for number, run in enumerate(runs) for line in stage_lines(number, run, name)],
        )
        for name in SHOWN
        for chart in CHARTS
        if name in chart.names
    ]
    return [chart for chart in charts if len(chart.lines) > 1]  # one training alone is among the training curves


def stage_lines(number: int, run: StoredRun, name: str) -> Iterator[dict[str, Any]]:
    """Yields the lines of a run's trainings, each beginning where the one before ended; none without stages."""
    if not run.stages:
        return
    before, trainings = 0, [*((stage.name, stage.metrics) for stage in run.stages), (OWN, run.metrics)]
    for place, (label, rows) in enumerate(trainings):
        points = [(before + row["step"], row[name]) for row in rows if is_number(row.get(name))]
        if points:
            steps, values = zip(*points, strict=True)
            rounded = [float(f"{value:.{DIGITS}g}") for value in values]
            yield {"run": number, "label": label, "shade": place, "x": list(steps), "y": rounded}
        before += max((row["step"] for row in rows), default=0)
