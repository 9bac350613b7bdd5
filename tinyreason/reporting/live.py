"""What the page of a run that is going asks for again and again: only what came since it last asked."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tinyreason.reporting.charts import CHARTS, charts_of
from tinyreason.reporting.payload import packed_group, reward_names
from tinyreason.reporting.progress import progress_tiles, tell_progress
from tinyreason.reporting.report import command_of, flat, what_it_is
from tinyreason.reporting.run_warnings import RunWarning, run_warnings
from tinyreason.runs.reader import Group, RunFollower, StoredRun

NEWEST_GROUPS = 2
"""So many groups of the last step are shown while the run is going."""
LONGEST_TEXT = 20_000
"""Characters of a completion or prompt; the whole page has the rest."""
IDLE_PER_WORK = 500
"""What reads every step again waits for so many times what it took: it costs 0.2 % at most."""


class LiveRun:
    """A run that is watched."""

    def __init__(self, path: Path):
        self.path = path
        self._follower: RunFollower | None = None
        self._warnings: list[RunWarning] = []
        self._next_warnings = 0.0

    @property
    def is_there(self) -> bool:
        """Whether the run has begun to write."""
        return (self.path / "config.yaml").is_file()

    def look(self) -> StoredRun:
        """Returns the run as it is now."""
        self._follower = self._follower or RunFollower(self.path)
        return self._follower.look()

    def news(self, beginning: int, step: int) -> dict[str, Any]:
        """Returns what the page shows: words anew, curves and rollouts after `step`, if they are of this beginning."""
        if not self.is_there:
            return {"state": "waiting", "headline": "Waiting for the run to begin.", "beginning": 0, "step": 0}
        run = self.look()
        if run.result:
            return {"state": "done"}
        is_new = beginning != self._follower.beginnings
        after = 0 if is_new else step
        state, headline, sentence = tell_progress(run)
        return {
            "state": state,
            "name": run.name,
            "about": what_it_is(run),
            "headline": headline,
            "sentence": "" if state == "going" else sentence,
            "tiles": list(progress_tiles(run)),
            "share": share_done(run),
            "notes": [f"{trouble}." for trouble in run.troubles],
            "stopping": run.heartbeat.stopping if state == "going" and run.heartbeat else None,
            "has_heartbeat": run.heartbeat is not None,
            "warnings": [vars(warning) for warning in self.warnings(run)],
            "beginning": self._follower.beginnings,
            "step": run.steps,
            "charts": curves_after(run, after),
            "rollouts": newest_rollouts(run) if is_new or run.steps > step else None,
        } | ({"config": list(flat(run.config)), "command": command_of(run)} if is_new else {})

    def warnings(self, run: StoredRun) -> list[RunWarning]:
        """Returns the run's warnings, found anew when that costs little enough."""
        begin = time.monotonic()
        if begin >= self._next_warnings:
            self._warnings = run_warnings(run)
            self._next_warnings = begin + IDLE_PER_WORK * (time.monotonic() - begin)
        return self._warnings


def share_done(run: StoredRun) -> float | None:
    """Returns how much of what the run does at the moment is done, 0–1; None where it does nothing."""
    beat = run.heartbeat
    return beat.done / beat.total if run.state == "going" and beat and beat.total else None


def curves_after(run: StoredRun, step: int) -> list[dict[str, Any]]:
    """Returns the charts with what came after a step, in the order in which a page shows them.

    Rollouts are written before their step's metrics: a step is told once it has both.
    """
    rows = _after(run.metrics, step)
    steps = {row["step"] for row in rows} & run.rollout_means.keys()
    newest = replace(run, metrics=rows, rollout_means={at: run.rollout_means[at] for at in sorted(steps)})
    order = {chart.title: place for place, chart in enumerate(CHARTS)}
    return [vars(chart) | {"place": order.get(chart.title, len(CHARTS))} for chart in charts_of([newest])]


def _after(rows: list[dict[str, Any]], step: int) -> list[dict[str, Any]]:
    """Returns the end of metrics in order of step: what is after this step."""
    at = len(rows)
    while at and rows[at - 1]["step"] > step:
        at -= 1
    return rows[at:]


def newest_rollouts(run: StoredRun) -> dict[str, Any] | None:
    """Returns groups of the last step, those with a gradient first; None where the run has no rollouts."""
    last: list[Group] = []
    for group in reversed(run.groups):
        if last and group.step != last[0].step:
            break
        last.append(group)
    last.sort(key=lambda group: (group.outcome != "mixed", group.number))
    names = reward_names(run)
    groups = [packed_group(run, group, names) for group in last[:NEWEST_GROUPS]]
    for group in groups:
        group["prompt"] = group["prompt"][:LONGEST_TEXT]
        for row in group["rollouts"]:
            row["text"] = row["text"][:LONGEST_TEXT]
    return {"step": last[0].step, "of": len(last), "reward_names": names, "groups": groups} if last else None
