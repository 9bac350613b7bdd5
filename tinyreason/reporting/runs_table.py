"""A folder of runs as one table: verdicts, gains, curves in small, and in what the configs of two of them differ."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tinyreason.errors import TinyReasonError
from tinyreason.reporting.payload import pack
from tinyreason.reporting.progress import total_steps
from tinyreason.reporting.report import NAME, flat, render, write_page, write_report
from tinyreason.runs.heartbeat import HEARTBEAT
from tinyreason.runs.reader import StoredRun, read_run, stamp_of
from tinyreason.runs.result import RESULT, SEEDS

DEPTH = 3
"""So many folders below the given one a run may lie, as a sweep's do."""
CURVES = {"validation/accuracy": "validation", "reward/mean": "reward", "loss": "loss"}
"""Metric of the small curve, the first that has two values → what it is called."""
POINTS = 40
"""Of a small curve."""
PAGE_LAGS_S = 5.0
"""A run's page may be so much older than its last line: both are of the same moment."""
STAMPED = (RESULT, "metrics.jsonl", "config.yaml")


def find_runs(folder: Path, depth: int = DEPTH) -> dict[str, Path]:
    """Returns the runs below a folder by their path from it, `NAME` or `NAME/seed0`; a run's own controls are its."""
    found: dict[str, Path] = {}

    def walk(place: Path, name: str, left: int) -> None:
        with os.scandir(place) as entries:
            below = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
        for one in below:
            path, its_name = place / one, f"{name}{one}"
            if (path / "config.yaml").is_file():
                found[its_name] = path
            elif left > 1:
                try:
                    walk(path, f"{its_name}/", left - 1)
                except OSError:  # a folder that may not be read
                    continue

    if folder.is_dir() and not (folder / "config.yaml").is_file():
        walk(folder, "", depth)
    return found


@dataclass
class RunsTable:
    """The table, read again and again: of each run only when it has written something."""

    folder: Path
    address_of: Callable[[str, Path], str | None]
    """Of a run's page, by its name and path; None where it has none."""
    _known: dict[str, tuple[Any, dict[str, Any]]] = field(default_factory=dict)

    def rows(self) -> list[dict[str, Any]]:
        """Returns a row for each run, the newest first. Errors: `FolderError` where there is no run."""
        runs = find_runs(self.folder)
        for name in self._known.keys() - runs.keys():
            del self._known[name]
        rows = []
        for name, path in runs.items():
            stamp = [stamp_of(path / file) for file in STAMPED]
            is_over = stamp[0] is not None
            beat = None if is_over else (stamp_of(path / HEARTBEAT), int(time.time() / 10))  # without a beat, ask again
            known = self._known.get(name)
            if known is None or known[0] != (stamp, beat):
                known = self._known[name] = ((stamp, beat), table_row(name, read_run(path, has_text=False)))
            rows.append(known[1] | {"page": self.address_of(name, path)})
        return sorted(rows, key=lambda row: -row["written"])

    def payload(self) -> dict[str, Any]:
        """Returns the rows, with what all their configs share told once."""
        rows = self.rows()
        configs = [row["config"] for row in rows]
        common = dict(configs[0].items()) if configs else {}
        for config in configs[1:]:
            common = {key: value for key, value in common.items() if config.get(key) == value}
        own = [{key: value for key, value in config.items() if key not in common} for config in configs]
        return {"common": common, "rows": [row | {"config": one} for row, one in zip(rows, own, strict=True)]}


def table_row(name: str, run: StoredRun) -> dict[str, Any]:
    """Returns what the table says of one run; accuracies 0–1, gains in points, `tokens` the share of change."""
    result, config = run.result, run.config
    metric = next((metric for metric in CURVES if len(run.curve(metric)) > 1), None)
    row = {
        "name": name,
        "verdict": result.verdict if result else run.state,
        **{key: str(config.get(key, "") or "") for key in ("recipe", "tier")},
        "seed": config.get("seed") if isinstance(config.get("seed"), int) else None,
        "steps": run.steps,
        "of": total_steps(run),
        "written": round(run.last_written),
        "curve": [float(f"{value:.3g}") for value in thinned(run.curve(metric), POINTS)] if metric else [],
        "curve_of": CURVES.get(metric, ""),
        "warnings": len(run.troubles),
        "config": dict(flat(config)),
    }
    if result:
        row |= {
            "before": result.before.accuracy,
            "after": result.after.accuracy,
            "gain": result.gain.points,
            "interval": result.gain.interval,
            "tokens": result.tokens.change if result.tokens else None,
            "minutes": round(result.seconds["total"] / 60, 1) if "total" in result.seconds else None,
        }
    return row


def thinned(values: list[float], count: int) -> list[float]:
    """Returns the means of `count` stretches of a curve, or the curve where it is no longer than that."""
    if len(values) <= count:
        return values
    ends = [round(number * len(values) / count) for number in range(count + 1)]
    return [sum(values[low:high]) / (high - low) for low, high in pairwise(ends)]


def write_runs_table(folder: Path, out: Path | None, say: Callable[[str], None]) -> Path:
    """Writes the table as one offline page, and before it the pages of runs that have none, or an old one.

    Errors: `FolderError` where the page cannot be written.
    """
    runs = find_runs(folder)
    out = out or folder / NAME
    missing = [path for path in runs.values() if not has_page(path)]
    for number, path in enumerate(missing, 1):
        try:
            write_report([path])
        except (TinyReasonError, OSError) as error:
            say(f"no page for {path}: {error}")
        if number % 50 == 0:
            say(f"wrote {number} of {len(missing)} pages of runs")
    base = out.resolve().parent

    def address_of(name: str, path: Path) -> str | None:
        page = (path / NAME).resolve()
        if not page.is_file():
            return None
        try:
            return quote(os.path.relpath(page, base).replace(os.sep, "/"))
        except ValueError:  # on another drive of Windows
            return page.as_uri()

    write_page(out, render_runs(folder, RunsTable(folder, address_of).payload()))
    return out


def has_page(path: Path) -> bool:
    """Returns whether a run has a page that is not older than what it last wrote."""
    page = stamp_of(path / NAME)
    written = max((stamp[0] for stamp in (stamp_of(path / file) for file in STAMPED) if stamp), default=0)
    return page is not None and page[0] >= written - PAGE_LAGS_S * 1e9


def render_runs(folder: Path, payload: dict[str, Any], nonce: str = "", is_live: bool = False) -> str:
    """Returns the HTML of the table; `is_live` has it ask its server for news."""
    data = pack(payload | {"is_live": is_live})
    return render("runs.html.jinja", nonce, name=folder.resolve().name, count=len(payload["rows"]), data=data)


def is_folder_of_runs(folder: Path) -> bool:
    """Returns whether it holds runs without being one, nor the seeds of one, whose page is a story."""
    return not (folder / SEEDS).is_file() and bool(find_runs(folder))
