"""The arena: every method that applies to a world, at equal tokens, beside plain GRPO; what fails stays a row."""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tinyreason.config.worlds import PLAIN, ArenaWorld, Entry, entries
from tinyreason.errors import ConfigError, FolderError
from tinyreason.pipeline.jobs import share_out
from tinyreason.pipeline.sweep import (
    Point,
    SweepRun,
    begun_with,
    computed_with,
    log_file,
    problem_means,
    run_sweep,
    sweep_runs,
)
from tinyreason.reporting.arena_table import ArenaEntry, SeedOfEntry, write_arena
from tinyreason.reporting.run_warnings import run_warnings
from tinyreason.runs.context import RunContext
from tinyreason.runs.reader import read_run
from tinyreason.runs.result import RESULT
from tinyreason.trainers.session import SPENT


@dataclass(frozen=True)
class ArenaPlan:
    """What is to be run in a world."""

    world: ArenaWorld
    entries: list[Entry]
    runs: list[SweepRun]
    """All methods with the first seed before the next one."""
    refused: dict[str, str]
    """Why other methods do not stand here."""


def arena_plan(world: ArenaWorld, asked: str, overrides: tuple[str, ...], seeds: list[int], out: Path) -> ArenaPlan:
    """Returns the runs of the methods that are asked for, every config checked before anything is begun.

    Errors: `ConfigError` for a method that is unknown, or where the world itself is refused.
    """
    found, runs, refused, computed = entries(world, asked), [], {}, {}
    for entry in found:
        try:
            own = sweep_runs(world.plan, world.tier, [Point(entry.name, entry.values, ())], overrides, seeds, out)
        except ConfigError as error:
            if entry.name == PLAIN:
                raise
            refused[entry.name] = str(error)
            continue
        values = json.dumps(computed_with(own[0].config.model_dump(mode="json")), sort_keys=True)
        if computed.setdefault(values, entry.name) == entry.name:
            runs += own
        else:
            refused[entry.name] = f"here it is {computed[values]}, value for value"
    return ArenaPlan(world, found, sorted(runs, key=lambda one: seeds.index(one.config.seed)), refused)


def run_arena(plan: ArenaPlan, out: Path, context: RunContext) -> list[ArenaEntry]:
    """Does what is not done yet, and writes table, picture and page after every run. Errors: `Stopped`."""
    known: dict[int, SeedOfEntry] = {}
    run_sweep(plan.runs, out, context, lambda _, out: write_done(plan, out, known))
    return write_done(plan, out, known)


def run_arena_by(jobs: int, plan: ArenaPlan, out: Path, context: RunContext) -> list[ArenaEntry]:
    """Does what `run_arena` does by so many processes, each taking what no other has. Errors: as `share_out`."""
    if jobs == 1:
        return run_arena(plan, out, context)
    share_out([partial(run_arena, plan, out)] * min(jobs, len(plan.runs)), context)
    return write_done(plan, out, {})


def write_table(plan: ArenaPlan, out: Path) -> None:
    """Writes table, picture and page of what is done. Errors: `FolderError` where nothing is."""
    if not any(map(is_whole, plan.runs)):
        raise FolderError(
            f"{out} holds no finished run of {plan.world.name}; type tinyreason arena run {plan.world.name}."
        )
    write_done(plan, out, {})


def write_done(plan: ArenaPlan, out: Path, known: dict[int, SeedOfEntry]) -> list[ArenaEntry]:
    """Writes what is done so far. `known`: number of a run → what is read of it already, to which the new is added."""
    for number, one in enumerate(plan.runs):
        if number not in known and is_whole(one):
            known[number] = seed_figures(one)
    found = [arena_entry(entry, plan, known) for entry in plan.entries]
    write_arena(plan.world, found, out)
    return found


def arena_entry(entry: Entry, plan: ArenaPlan, known: dict[int, SeedOfEntry]) -> ArenaEntry:
    """Returns what is known of a method: its seeds that are done, and why others are not."""
    numbers = [number for number, one in enumerate(plan.runs) if one.point.name == entry.name]
    missing = [plan.runs[number] for number in numbers if number not in known]
    return ArenaEntry(
        name=entry.name,
        family=entry.family,
        seeds=[known[number] for number in numbers if number in known],
        refused=plan.refused.get(entry.name) or next(filter(None, map(why_failed, missing)), None),
        missing=[one.config.seed for one in missing],
    )


def is_whole(one: SweepRun) -> bool:
    """Returns whether the run is finished, and is the one that is meant."""
    earlier = begun_with(one)
    meant = earlier and computed_with(earlier) == computed_with(one.config.model_dump(mode="json"))
    return bool(meant) and (one.path / RESULT).exists()


def why_failed(one: SweepRun) -> str | None:
    """Returns the last words of a run that failed; None where it has not begun, or was only interrupted."""
    log = log_file(one)
    lines = log.read_text("utf-8").strip().splitlines() if log.exists() else []
    name, found, said = lines[-1].partition(": ") if lines else ("", "", "")
    return said if found and name.endswith(("Error", "NotFinite")) else None


def seed_figures(one: SweepRun) -> SeedOfEntry:
    """Returns what one run reached, and what it spent."""
    run = read_run(one.path)
    return SeedOfEntry(
        seed=one.config.seed,
        before=problem_means(run.evaluation.before),
        after=problem_means(run.evaluation.after),
        steps=len(run.metrics),
        spent=int(sum(row.get(SPENT, 0) for row in run.metrics)),
        seconds=run.result.seconds.get("train", 0),
        warnings=[warning.title for warning in run_warnings(run)],
    )
