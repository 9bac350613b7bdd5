"""`tinyreason arena`: every method beside plain GRPO on small worlds, at equal tokens."""

import json
from datetime import datetime
from pathlib import Path

import click

from tinyreason.cli.options import ACCEPT_CHANGES, JOBS, JSON, OVERRIDES, PATH, check_jobs, seeds_option
from tinyreason.errors import TinyReasonError

METHODS = click.option(
    "--methods", default="all", show_default=True, metavar="all|A,B,…", help="Methods to compare with plain GRPO."
)
OUT = click.option("--out", type=PATH, help="Folder of the world's runs; default: runs/arena-WORLD.")
SEEDS = seeds_option("Seeds, with each of which everything is run", default="3", show_default=True)


@click.group(short_help="Compare all methods at equal tokens, on worlds where they can differ.")
def arena() -> None:
    """Compare all methods with plain GRPO at equal tokens, on small worlds made for that, without a GPU."""


@arena.command("worlds")
@JSON
def worlds_command(as_json: bool) -> None:
    """List the worlds: what each is for, what should show in it and what should not."""
    from tinyreason.config.worlds import entries, read_world, world_names

    found = [read_world(name) for name in world_names()]
    if as_json:
        told = [{key: getattr(one, key) for key in ("name", "purpose", "shows", "hides", "families")} for one in found]
        click.echo(json.dumps(told, indent=1))
        return
    for one in found:
        click.echo(f"{one.name}  {one.purpose}")
        click.echo(f"    should show   {'; '.join(one.shows)}")
        click.echo(f"    should not    {'; '.join(one.hides)}")
        click.echo(
            f"    methods       {len(entries(one))}, of {', '.join(one.families) or 'those that its file names'}"
        )


@arena.command("run")
@click.argument("world")
@OVERRIDES
@METHODS
@SEEDS
@OUT
@click.option("--deadline", metavar="TIME", help="Save and end before this time: 11h30m, 18:30, 2026-11-22T09:00.")
@JOBS
@ACCEPT_CHANGES
@JSON
def run_command(
    world: str,
    overrides: tuple[str, ...],
    methods: str,
    seeds: list[int],
    out: Path | None,
    deadline: str | None,
    jobs: int,
    accept_changes: bool,
    as_json: bool,
) -> None:
    """Run all methods that apply to WORLD, each with the first seed before the next; table, picture and page grow.

    The same command resumes after an interruption; finished runs are kept. Several runs at once: --jobs, or the same
    line in another window.
    """
    from tinyreason.config.worlds import read_world
    from tinyreason.console import Console, quiet_libraries
    from tinyreason.runs.deadline import Deadline, read_deadline

    end = read_deadline(deadline, datetime.now()) if deadline else None
    found, out, console = read_world(world), out or Path("runs") / f"arena-{world}", Console(stderr=as_json)
    quiet_libraries(offline=found.plan.resolve(found.tier, overrides).is_offline)

    from tinyreason.models.load import card_for, compute_settings_for
    from tinyreason.pipeline.arena import arena_plan, run_arena_by
    from tinyreason.runs.context import RunContext

    plan = arena_plan(found, methods, overrides, seeds, out)
    first = plan.runs[0].config
    check_jobs(jobs, first.processes)
    console.say(f"{world}: {len(plan.runs)} runs of {first.train.token_budget:,} completion tokens; {found.purpose}")
    for name, why in plan.refused.items():
        console.say(f"        {name} does not stand here: {why}")
    with Deadline(end, console.say) as stop:
        compute = compute_settings_for(first.model, first.kernels, card_for(first.model))
        context = RunContext(console, compute, "the arena", stop, accept_changes)
        entries = run_arena_by(jobs, plan, out, context)
    show(out, as_json)
    missing = sum(len(entry.missing) for entry in entries)
    if missing:
        raise TinyReasonError(
            f"{missing} of {len(plan.runs)} runs are not done, as said above; type the same line again."
        )


@arena.command("table")
@click.argument("world")
@OVERRIDES
@METHODS
@SEEDS
@OUT
@JSON
def table_command(
    world: str, overrides: tuple[str, ...], methods: str, seeds: list[int], out: Path | None, as_json: bool
) -> None:
    """Write the table, picture and page of what is done of WORLD, without running anything."""
    from tinyreason.config.worlds import read_world
    from tinyreason.pipeline.arena import arena_plan, write_table

    out = out or Path("runs") / f"arena-{world}"
    write_table(arena_plan(read_world(world), methods, overrides, seeds, out), out)
    show(out, as_json)


def show(out: Path, as_json: bool) -> None:
    """Prints the table that is there, and says where the rest is."""
    click.echo((out / ("arena.json" if as_json else "arena.md")).read_text("utf-8"))
    click.echo(f"table, picture and page: {out / 'arena.md'}, {out / 'arena.svg'}, {out / 'arena.html'}", err=True)
