"""`tinyreason sweep`: rewards, or values of an option, side by side."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyreason.cli.options import (
    ACCEPT_CHANGES,
    ALLOW_CODE,
    JOBS,
    JSON,
    OVERRIDES,
    PATH,
    TIER,
    check_jobs,
    seeds_option,
)
from tinyreason.errors import ConfigError, TinyReasonError

if TYPE_CHECKING:
    from tinyreason.console import Console


@click.command(name="sweep", short_help="Compare rewards, or values of an option: accuracy against tokens.")
@click.argument("name")
@OVERRIDES
@click.option(
    "--rewards",
    metavar="all|A,B,…",
    help="Rewards to compare: the recipe's variants, rewards, or your own as ./my.py:reward; all = every variant.",
)
@click.option(
    "--vary",
    multiple=True,
    metavar="KEY=A,B,…",
    help="An option and its values; every combination is run where several are given.",
)
@seeds_option("Seeds, with each of which everything is run", default="1", show_default=True)
@TIER
@click.option("--out", type=PATH, help="Folder of the sweep; default: runs/frontier-NAME-TIER.")
@JOBS
@ACCEPT_CHANGES
@ALLOW_CODE
@JSON
def sweep_command(
    name: str,
    overrides: tuple[str, ...],
    rewards: str | None,
    vary: tuple[str, ...],
    seeds: list[int],
    tier: str | None,
    out: Path | None,
    jobs: int,
    accept_changes: bool,
    allow_code: bool,
    as_json: bool,
) -> None:
    """Run several rewards, or values of an option, of recipe NAME at equal compute; plot accuracy against tokens.

    The same command resumes after an interruption; finished runs are kept. A shared warm-up is done once.
    Several runs at once: --jobs, or the same line in another window.
    """
    from tinyreason.config.recipe import read_recipe
    from tinyreason.config.tiers import TIERS
    from tinyreason.console import Console, quiet_libraries
    from tinyreason.models.hardware import check_tier, take_card, tier_for

    plan, card = read_recipe(name), take_card()
    tier, why = tier_for(plan, tier, overrides, card)
    if rewards is None and not vary:
        raise ConfigError("there is nothing to compare; give --rewards all, --rewards A,B or --vary KEY=A,B.")
    out = out or Path("runs") / f"frontier-{plan.name}-{tier}"
    quiet_libraries(offline=tier in TIERS and TIERS[tier].is_offline)

    from tinyreason.models.load import compute_settings_for
    from tinyreason.pipeline.sweep import is_done, run_sweep_by, sweep_points, sweep_runs, write_sweep
    from tinyreason.runs.context import RunContext
    from tinyreason.runs.own_code import settle_code

    points = sweep_points(plan, tier, rewards, vary)
    runs = sweep_runs(plan, tier, points, overrides, seeds, out)
    check_jobs(jobs, runs[0].config.processes)
    console, first, context = Console(stderr=as_json), runs[0].config, None
    if not all(map(is_done, runs)):  # what is finished is shown on any machine
        check_tier(tier, card)
        settle_code([one.path for one in runs], [one.config for one in runs], allow_code)
        compute = compute_settings_for(first.model, first.kernels, card if TIERS[tier].needs_gpu else None)
        context = RunContext(console, compute, why, accept_changes=accept_changes)
    for line in (f"{plan.name} on {tier} ({why}): {len(points)} points × {len(seeds)} seeds", *first_lines(runs)):
        console.say(line)
    try:
        rows = run_sweep_by(jobs, runs, out, context) if context else write_sweep(runs, out)
    except KeyboardInterrupt:
        console.say(f"stopped; what is finished is kept in {out}, the same command resumes there")
        raise
    if rows:
        show_sweep(rows, out, console, as_json)
    if failed := sum(not is_done(one) for one in runs):
        raise TinyReasonError(f"{failed} of {len(runs)} runs failed, as said above; the same line tries them again.")


def show_sweep(rows: list, out: Path, console: "Console", as_json: bool) -> None:
    """Prints the table, and says where it and the picture are."""
    values = json.dumps([row.as_json() for row in rows], indent=1, ensure_ascii=False)
    click.echo(values if as_json else (out / "frontier.md").read_text("utf-8"))
    console.say(f"table and picture: {out / 'frontier.md'}, {out / 'frontier.svg'}, {out / 'frontier.png'}")


def first_lines(runs: list) -> Iterator[str]:
    """Yields what all runs spend, and what is known to go wrong with the rewards of each."""
    from tinyreason.cli.train_output import caveats

    yield f"compute {compute_spent(runs)}"
    yield from dict.fromkeys(f"caveat  {one.point.name}: {said}" for one in runs for said in caveats(one.config))


def compute_spent(runs: list) -> str:
    """Returns steps and rows per step, and whether all runs spend the same."""
    budgets = sorted({(one.config.train.max_steps, one.config.train.rows_per_step) for one in runs})
    said = " or ".join(f"{steps} steps of {rows}" for steps, rows in budgets)
    return f"{said} rollouts per run" if len(budgets) == 1 else f"NOT equal: {said} rollouts per run"
