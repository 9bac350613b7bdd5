"""A run folder read back, whatever state it is in: finished, still going, stopped half-way or damaged."""

import json
import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from tinyreason.errors import FolderError
from tinyreason.runs.result import CONTROLS, EVALUATION, RESULT, ControlsResult, RunResult, Stored, StoredEvaluation

Kind = TypeVar("Kind", bound=Stored)

QUIET_S = 600
"""A run without a result that has written nothing for so long is taken for stopped, not for still going."""


@dataclass
class Group:
    """One group of rollouts: where it stands in rollouts.jsonl and how it fared."""

    step: int
    number: int
    start: int
    """Byte of its first line."""
    lines: int = 0
    rewards: set[str] = field(default_factory=set)
    correct: int = 0
    graded: int = 0

    @property
    def outcome(self) -> str:
        """`mixed`, or where all its rollouts earned the same reward, `all correct`, `all incorrect` or `all alike`."""
        if len(self.rewards) > 1:
            return "mixed"
        if self.correct == self.lines:
            return "all correct"
        return "all incorrect" if self.correct == 0 else "all alike"


@dataclass
class StoredRun:
    """What a run folder says; what it lacks is None or empty, what cannot be read is named in `troubles`."""

    path: Path
    config: dict[str, Any]
    environment: dict[str, Any]
    result: RunResult | None
    """None until the run is done."""
    evaluation: StoredEvaluation | None
    controls: ControlsResult | None
    """What `--controls` leaves, where the run has controls."""
    metrics: list[dict[str, Any]]
    groups: list[Group]
    rollout_means: dict[int, dict[str, float]]
    """Step → mean of each reward and of `correct` over its rollouts."""
    last_written: float
    """Seconds since the epoch."""
    troubles: list[str]

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.path.resolve().name

    @property
    def steps(self) -> int:
        """Number of the last step that was written."""
        return max((row["step"] for row in self.metrics), default=0)

    @property
    def state(self) -> str:
        """`done`, `going` or `stopped`."""
        if self.result is not None:
            return "done"
        return "going" if time.time() - self.last_written < QUIET_S else "stopped"

    def rollouts(self, group: Group) -> list[dict[str, Any]]:
        """Returns the group's lines of rollouts.jsonl."""
        with open(self.path / "rollouts.jsonl", "rb") as file:
            file.seek(group.start)
            rows = (_row(line) for line in file)
            return list(islice((row for row in rows if row is not None), group.lines))

    def curve(self, name: str) -> list[float]:
        """Returns the finite values of a metric, in order of step."""
        values = [row.get(name) for row in self.metrics]
        return [value for value in values if is_number(value)]


def read_run(path: Path) -> StoredRun:
    """Reads a run folder. Errors: `FolderError` where there is none, or it is not the folder of a run."""
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        raise FolderError(f"{path} {what}; give the folder of a run, as in runs/NAME.")
    if not (path / "config.yaml").is_file():
        raise FolderError(f"{path} is not the folder of a run: it has no config.yaml.")
    troubles: list[str] = []
    metrics = [row for row in _rows(path / "metrics.jsonl", troubles) if isinstance(row.get("step"), int)]
    groups, means = _groups(path / "rollouts.jsonl", troubles)
    return StoredRun(
        path=path,
        config=_config(path / "config.yaml", troubles),
        environment=_object(path / "environment.json", troubles) or {},
        result=_whole(path / RESULT, RunResult, troubles),
        evaluation=_whole(path / EVALUATION, StoredEvaluation, troubles),
        controls=_whole(path / CONTROLS, ControlsResult, troubles),
        metrics=metrics,
        groups=groups,
        rollout_means=means,
        last_written=max(
            (file.stat().st_mtime for file in path.iterdir() if file.suffix in (".jsonl", ".json", ".yaml", ".txt")),
            default=0.0,
        ),
        troubles=troubles,
    )


def is_number(value: Any) -> bool:
    """Returns whether it is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _config(file: Path, troubles: list[str]) -> dict[str, Any]:
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8", errors="replace"))
    except (OSError, yaml.YAMLError, RecursionError):
        values = None
    if isinstance(values, dict):
        return values
    troubles.append(f"{file.name} cannot be read")
    return {}


def _object(file: Path, troubles: list[str]) -> dict[str, Any] | None:
    """Returns the JSON object in a file; None where there is no file, or none that can be read."""
    if not file.is_file():
        return None
    try:
        value = json.loads(file.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return value
    troubles.append(f"{file.name} cannot be read")
    return None


def _whole(file: Path, kind: type[Kind], troubles: list[str]) -> Kind | None:
    """Returns the schema read from a file; None where the file is missing, or lacks what the schema needs."""
    value = _object(file, troubles)
    try:
        return None if value is None else kind.model_validate(value)
    except ValidationError:
        troubles.append(f"{file.name} is not whole")
        return None


def _rows(file: Path, troubles: list[str]) -> Iterator[dict[str, Any]]:
    return (row for _, row in _placed_rows(file, troubles))


def _placed_rows(file: Path, troubles: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields (first byte, object) of each line; counts those that are not one, but a torn last one is being written."""
    start, broken = 0, 0
    with open(file, "rb") if file.is_file() else nullcontext(()) as lines:
        for line in lines:
            row = _row(line)
            if row is not None:
                yield start, row
            elif line.strip() and line.endswith(b"\n"):
                broken += 1
            start += len(line)
    if broken:
        troubles.append(f"{broken:,} lines of {file.name} cannot be read")


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _groups(file: Path, troubles: list[str]) -> tuple[list[Group], dict[int, dict[str, float]]]:
    """Returns the groups of rollouts.jsonl in its order, and each step's means; no text is kept, as files are large."""
    groups: list[Group] = []
    sums: dict[int, dict[str, list[float]]] = {}
    for start, row in _placed_rows(file, troubles):
        step, number = row.get("step"), row.get("group")
        if not isinstance(step, int) or not isinstance(number, int):
            continue
        last = groups[-1] if groups else None
        if last is None or (last.step, last.number) != (step, number):
            groups.append(last := Group(step, number, start))
        last.lines += 1
        last.rewards.add(str(row.get("reward")))
        last.correct += row.get("correct") is True
        last.graded += row.get("correct") is not None
        terms = row.get("rewards") if isinstance(row.get("rewards"), dict) else {}
        means = sums.setdefault(step, {})
        for name, value in {**{f"reward/{term}": value for term, value in terms.items()}, **_correct(row)}.items():
            if is_number(value):
                means.setdefault(name, []).append(value)
    return groups, {step: {name: fmean(values) for name, values in found.items()} for step, found in sums.items()}


def _correct(row: dict[str, Any]) -> dict[str, float]:
    return {} if row.get("correct") is None else {"correct": float(row["correct"] is True)}
