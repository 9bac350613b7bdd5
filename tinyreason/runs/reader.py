"""A run folder read back, whatever state it is in: finished, still going, stopped half-way, killed or damaged."""

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from tinyreason.errors import FolderError
from tinyreason.runs.heartbeat import Heartbeat, read_heartbeat
from tinyreason.runs.result import CONTROLS, EVALUATION, RESULT, ControlsResult, RunResult, Stored, StoredEvaluation
from tinyreason.runs.rows import GrowingRows, read_row
from tinyreason.runs.stage_result import StageResult, read_stage, stage_places

Kind = TypeVar("Kind", bound=Stored)

QUIET_S = 600
"""A run without a result or a heartbeat that wrote nothing for so long is taken for stopped, not for still going."""

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The one in C is ten times as fast, and is not in every build of PyYAML."""


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
    unrewarded: int = 0
    """Rollouts that a reward could not grade, as their gold answer cannot be parsed."""

    @property
    def outcome(self) -> str:
        """`mixed`, or where all its rollouts earned the same reward, `all correct`, `all incorrect` or `all alike`."""
        if len(self.rewards) > 1:
            return "mixed"
        if self.correct == self.lines:
            return "all correct"
        return "all incorrect" if self.graded and self.correct == 0 else "all alike"


@dataclass
class StoredStage:
    """A warm-up or stage of a run, done or not."""

    name: str
    result: StageResult | None
    metrics: list[dict[str, Any]]


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
    heartbeat: Heartbeat | None = None
    """None in the folders of earlier versions."""
    stages: list[StoredStage] = field(default_factory=list)

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
        """`done`, `going`, `stopped` (by a person, a deadline or an error) or `killed`."""
        if self.result is not None:
            return "done"
        if self.heartbeat is None:
            return "going" if time.time() - self.last_written < QUIET_S else "stopped"
        if self.heartbeat.is_alive:
            return "going"
        return "killed" if self.heartbeat.ended is None else "stopped"

    def rollouts(self, group: Group) -> list[dict[str, Any]]:
        """Returns the group's lines of rollouts.jsonl."""
        with open(self.path / "rollouts.jsonl", "rb") as file:
            file.seek(group.start)
            rows = (read_row(line) for line in file)
            return list(islice((row for row in rows if row is not None), group.lines))

    def curve(self, name: str) -> list[float]:
        """Returns the finite values of a metric, in order of step."""
        values = [row.get(name) for row in self.metrics]
        return [value for value in values if is_number(value)]


def read_run(path: Path, has_text: bool = True) -> StoredRun:
    """Reads a run folder; `has_text=False` leaves out what is long: rollouts and evaluated completions.

    Errors: `FolderError` where there is none, or it is not the folder of a run.
    """
    check_is_run(path)
    return RunFollower(path, has_text).look()


def check_is_run(path: Path) -> None:
    """Refuses what is not the folder of a run. Errors: `FolderError`."""
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        raise FolderError(f"{path} {what}; give the folder of a run, as in runs/NAME.")
    if not (path / "config.yaml").is_file():
        raise FolderError(f"{path} is not the folder of a run: it has no config.yaml.")


class RunFollower:
    """Reads a run again and again while it grows: of its long files only what is new since the last look."""

    def __init__(self, path: Path, has_text: bool = True):
        self.path, self.has_text = path, has_text
        self._metric_rows, self._rollouts = GrowingRows(path / "metrics.jsonl"), GrowingRows(path / "rollouts.jsonl")
        self._read: dict[Path, tuple[Any, Any, list[str]]] = {}
        self.beginnings = 0
        """How often the curves had to be read from the beginning: at first, and when a resumed run rolled back."""
        self._begin()

    def _begin(self) -> None:
        self._metric_rows.restart()
        self._rollouts.restart()
        self.rows: list[dict[str, Any]] = []
        self.groups = _Groups()
        self.beginnings += 1

    def look(self) -> StoredRun:
        """Returns the run as it is now."""
        if self._metric_rows.is_another or self._rollouts.is_another:
            self._begin()
        self.rows += (row for _, row in self._metric_rows.new() if isinstance(row.get("step"), int))
        if self.has_text:
            self.groups.add(self._rollouts.new())
        path, troubles = self.path, []
        for rows in (self._metric_rows, self._rollouts):
            if rows.broken:
                troubles.append(f"{rows.broken:,} lines of {rows.file.name} cannot be read")
        return StoredRun(
            path=path,
            config=self._known(path / "config.yaml", _config, troubles) or {},
            environment=self._known(path / "environment.json", _object, troubles) or {},
            result=self._known(path / RESULT, partial(_whole, RunResult), troubles),
            evaluation=self._known(path / EVALUATION, partial(_whole, StoredEvaluation), troubles)
            if self.has_text
            else None,
            controls=self._known(path / CONTROLS, partial(_whole, ControlsResult), troubles),
            metrics=self.rows,
            groups=self.groups.all,
            rollout_means=self.groups.means,
            last_written=_last_written(path),
            troubles=troubles,
            heartbeat=read_heartbeat(path),
            stages=[self._stage(place) for place in stage_places(path)],
        )

    def _stage(self, place: Path) -> StoredStage:
        return StoredStage(place.name, read_stage(place), self._known(place / "metrics.jsonl", _steps, []) or [])

    def _known(self, file: Path, read: Callable[[Path, list[str]], Any], troubles: list[str]) -> Any:
        """Returns what a file holds, read again only where it was written since."""
        stamp, found = stamp_of(file), self._read.get(file)
        if found is None or found[0] != stamp:
            own: list[str] = []
            found = self._read[file] = (stamp, read(file, own), own)
        troubles += found[2]
        return found[1]


def stamp_of(file: Path) -> tuple[int, int] | None:
    """Returns what changes whenever a file is written: its time and its size; None where there is no such file."""
    try:
        about = file.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size


def _last_written(path: Path) -> float:
    files = (file for file in path.iterdir() if file.suffix in (".jsonl", ".json", ".yaml", ".txt"))
    return max((stamp[0] / 1e9 for stamp in map(stamp_of, files) if stamp), default=0.0)


def is_number(value: Any) -> bool:
    """Returns whether it is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _config(file: Path, troubles: list[str]) -> dict[str, Any]:
    try:
        values = yaml.load(file.read_text(encoding="utf-8", errors="replace"), Loader=LOADER)
    except (OSError, yaml.YAMLError, RecursionError, ValueError):
        values = None
    if isinstance(values, dict):
        return values
    troubles.append(f"{file.name} cannot be read")
    return {}


def _steps(file: Path, troubles: list[str]) -> list[dict[str, Any]]:
    """Returns the rows of a metrics.jsonl that can be read."""
    return [row for _, row in GrowingRows(file).new() if isinstance(row.get("step"), int)]


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


def _whole(kind: type[Kind], file: Path, troubles: list[str]) -> Kind | None:
    """Returns the schema read from a file; None where the file is missing, or lacks what the schema needs."""
    value = _object(file, troubles)
    try:
        return None if value is None else kind.model_validate(value)
    except ValidationError:
        troubles.append(f"{file.name} is not whole")
        return None


class _Groups:
    """The groups of rollouts.jsonl in its order, and each step's means; no text is kept, as files are large."""

    def __init__(self) -> None:
        self.all: list[Group] = []
        self.means: dict[int, dict[str, float]] = {}
        self._sums: dict[int, dict[str, list[float]]] = {}

    def add(self, rows: Iterator[tuple[int, dict[str, Any]]]) -> None:
        """Counts further rows, each with its first byte."""
        steps = set()
        for start, row in rows:
            step, number = row.get("step"), row.get("group")
            if isinstance(step, int) and isinstance(number, int):
                self._count(step, number, start, row)
                steps.add(step)
        for step in steps:
            sums = self._sums.get(step, {})
            self.means[step] = {name: total / count for name, (total, count) in sums.items()}

    def _count(self, step: int, number: int, start: int, row: dict[str, Any]) -> None:
        last = self.all[-1] if self.all else None
        if last is None or (last.step, last.number) != (step, number):
            self.all.append(last := Group(step, number, start))
        last.lines += 1
        last.rewards.add(str(row.get("reward")))
        last.correct += row.get("correct") is True
        last.graded += row.get("correct") is not None
        terms = row.get("rewards") if isinstance(row.get("rewards"), dict) else {}
        last.unrewarded += row.get("correct") is None and None in terms.values()
        sums = self._sums.setdefault(step, {})
        for name, value in {**{f"reward/{term}": value for term, value in terms.items()}, **_correct(row)}.items():
            if is_number(value):
                total_count = sums.setdefault(name, [0.0, 0])
                total_count[0] += value
                total_count[1] += 1


def _correct(row: dict[str, Any]) -> dict[str, float]:
    return {} if row.get("correct") is None else {"correct": float(row["correct"] is True)}
