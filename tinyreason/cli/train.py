"""`tinyreason recipe`: train by a recipe and measure the gain."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyreason import processes as together
from tinyreason.cli.options import (
    ACCEPT_CHANGES,
    ALLOW_CODE,
    AUTO,
    JOBS,
    OVERRIDES,
    PATH,
    PROCESSES,
    TIER,
    check_jobs,
    seeds_option,
    with_processes,
)
from tinyreason.cli.report import open_live_page
from tinyreason.config.processes import check_launcher
from tinyreason.errors import ConfigError, DiskError

if TYPE_CHECKING:
    from tinyreason.config.recipe import Recipe
    from tinyreason.config.run_config import RunConfig
    from tinyreason.models.hardware import Card
    from tinyreason.runs.context import RunContext


@click.command("recipe", short_help="Train by a recipe and measure the gain.")
@click.argument("name")
@OVERRIDES
@TIER
@click.option("--out", type=PATH, help="Folder of the run; default: a new one, runs/RECIPE-TIER-seedN-DATE-TIME.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the adapter, the rollouts and the data's order.")
@seeds_option("Run it for each seed, and tell the gain over all")
@JOBS
@click.option("--controls", is_flag=True, help="Train again with a format-only and with a random reward, and compare.")
@click.option("--fresh", is_flag=True, help="Start over in --out instead of resuming the run that is there.")
@ACCEPT_CHANGES
@ALLOW_CODE
@click.option(
    "--verify-resume",
    is_flag=True,
    help="Take the last two steps of the run in --out again, from the checkpoint before them; are they the same?",
)
@click.option("--deadline", metavar="TIME", help="Save and end before this time: 11h30m, 18:30, 2026-11-22T09:00.")
@click.option("--open", "opens", is_flag=True, help="Open a page in the browser that shows the run live.")
@PROCESSES
def recipe_command(overrides: tuple[str, ...], processes: int | str | None, **given: Any) -> None:
    """Train by a recipe and measure the gain: evaluate, train, evaluate again.

    NAME is a recipe or a .yaml file. key=value sets an option of it; `tinyreason show NAME` lists them all. The same
    command with the same --out resumes a run that was stopped, and shows one that is finished, on any machine.
    """
    check_launcher(os.environ)
    launched = together.launched()
    if launched is None:
        is_auto = processes == AUTO
        take_recipe(overrides=with_processes(overrides, None if is_auto else processes), is_auto=is_auto, **given)
        return

    from tinyreason.pipeline.launch import help_main, met

    rank, many = launched
    if rank:
        help_main()
        return
    with met():
        asked = many if processes in (None, AUTO) else processes
        take_recipe(overrides=with_processes(overrides, asked), is_auto=False, **given)


def take_recipe(
    name: str,
    overrides: tuple[str, ...],
    tier: str | None,
    out: Path | None,
    seed: int | None,
    seeds: list[int],
    jobs: int,
    controls: bool,
    fresh: bool,
    accept_changes: bool,
    allow_code: bool,
    verify_resume: bool,
    deadline: str | None,
    opens: bool,
    is_auto: bool,
) -> None:
    """Runs a recipe as it was typed, or shows what is finished."""
    from tinyreason.config.recipe import read_recipe
    from tinyreason.config.tiers import TIERS
    from tinyreason.console import Console, quiet_libraries
    from tinyreason.models.hardware import check_tier, take_card, tier_for
    from tinyreason.models.load import compute_settings_for
    from tinyreason.pipeline.finished import run_folders
    from tinyreason.runs.context import RunContext
    from tinyreason.runs.deadline import Deadline, read_deadline
    from tinyreason.runs.folder import default_folder
    from tinyreason.runs.own_code import settle_code

    end = read_deadline(deadline, datetime.now()) if deadline else None
    recipe, card = read_recipe(name), take_card()
    check_seeds(seed, seeds, jobs, verify_resume)
    tier, reason = begun_tier(tier, None if fresh else out, seeds) or tier_for(recipe, tier, overrides, card)
    if is_auto:
        overrides = shared_by_cards(recipe, tier, overrides, card, None if fresh else out, seeds)
    configs = [recipe.resolve(tier, overrides, number) for number in seeds or [seed]]
    if out and not (fresh or verify_resume) and show_finished(configs, out, bool(seeds), controls):
        return
    check_tier(tier, card)
    check_ready(configs[0], jobs, controls, verify_resume)
    settle_code(run_folders(out, seeds), configs, allow_code)
    config, console, out = configs[0], Console(), out or default_folder(configs)
    if opens:
        open_live_page(out)
    again = [name, *overrides, "--on", tier, *which_seeds(config, seeds, jobs), *["--controls"] * controls]
    with Deadline(end, console.say) as stop, offering([*again, "--out", str(out)]):
        quiet_libraries(offline=TIERS[tier].is_offline)
        compute = compute_settings_for(config.model, config.kernels, card if TIERS[tier].needs_gpu else None)
        context = RunContext(console, compute, reason, stop, accept_changes)
        if verify_resume:
            compare_last_steps(config, out, context)
        elif seeds:
            run_seeds_and_report(configs, out, context, jobs, fresh, controls)
        else:
            run_and_report(config, out, context, fresh, controls)


def which_seeds(config: "RunConfig", seeds: list[int], jobs: int) -> list[str]:
    """Returns the words that choose the same seeds again, and as many at once."""
    at_once = ["--jobs", str(jobs)] if jobs > 1 else []
    return ["--seeds", ",".join(map(str, seeds)), *at_once] if seeds else ["--seed", str(config.seed)]


def compare_last_steps(config: "RunConfig", out: Path, context: "RunContext") -> None:
    """Takes the last steps of a run again, and says whether they are the same."""
    from tinyreason.pipeline.verify_resume import verify_resume

    click.echo(verify_resume(config, out, context))


def begun_tier(asked: str | None, out: Path | None, seeds: list[int]) -> tuple[str, str] | None:
    """Returns the tier of the run which is there, and that it was begun on it; None where another is asked for."""
    from tinyreason.pipeline.finished import tier_of

    begun = None if asked else tier_of(out, seeds)
    return (begun, "the run was begun on it") if begun else None


def shared_by_cards(
    recipe: "Recipe", tier: str, overrides: tuple[str, ...], card: "Card | None", out: Path | None, seeds: list[int]
) -> tuple[str, ...]:
    """Returns the overrides with as many processes as the run in `out` has, else as there are cards of one kind.

    A run that these cannot share is of one process, which is said.
    """
    from tinyreason.config.tiers import TIERS
    from tinyreason.pipeline.finished import processes_of

    many = processes_of(out, seeds)
    if many is None:
        many = card.alike if card and TIERS[tier].needs_gpu else 1
        try:
            recipe.resolve(tier, with_processes(overrides, many))
        except ConfigError as error:
            recipe.resolve(tier, overrides)  # a mistake that one process has too is said as ever
            click.echo(f"one process: {error}")
            return overrides
    return overrides if many == 1 else with_processes(overrides, many)


def check_ready(config: "RunConfig", jobs: int, controls: bool, verify_resume: bool) -> None:
    """Refuses a config for which something is not there, or that cannot do what is asked. Errors: `TinyReasonError`."""
    from tinyreason.config.preconditions import check_preconditions
    from tinyreason.evaluation.controls import check_has_controls

    check_preconditions(config)
    check_jobs(jobs, config.processes)
    if controls:
        check_has_controls(config)
    if verify_resume and config.processes > 1:
        raise ConfigError("--verify-resume takes the steps in one process, which rounds otherwise than several do.")


def check_seeds(seed: int | None, seeds: list[int], jobs: int, verify_resume: bool) -> None:
    """Refuses options that several seeds do not go with. Errors: `ConfigError`."""
    if seeds and seed is not None:
        raise ConfigError("--seed and --seeds are both given; leave one out.")
    if jobs > 1 and not seeds:
        raise ConfigError(f"--jobs {jobs} is of several runs, and this is one; type --seeds 3, or --processes {jobs}.")
    if seeds and verify_resume:
        raise ConfigError("--verify-resume is of one run; give the folder of one seed with --out, without --seeds.")


def show_finished(configs: list["RunConfig"], out: Path, of_seeds: bool, controls: bool) -> bool:
    """Shows the result of what is finished in `out`, whatever this machine can run; returns whether all is finished."""
    from tinyreason.cli.train_output import conclude, conclude_seeds
    from tinyreason.console import Console
    from tinyreason.pipeline.finished import finished_result

    console = Console()
    found = finished_result(configs, out, console, of_seeds, controls)
    if found:
        (conclude_seeds if of_seeds else conclude)(console, found, out)
    if found and controls:
        from tinyreason.cli.evaluation_output import show_controls
        from tinyreason.runs.result import read_controls

        show_controls(console, read_controls(out))
    return bool(found)


def run_seeds_and_report(
    configs: list["RunConfig"], out: Path, context: "RunContext", jobs: int, fresh: bool, controls: bool
) -> None:
    """Runs the recipe with every seed, and says what came of it over all."""
    from tinyreason.cli.train_output import announce, conclude_seeds
    from tinyreason.pipeline.seeds import run_seeds_by

    announce(context, configs[0], out)
    conclude_seeds(context.console, run_seeds_by(jobs, configs, out, context, fresh, controls), out)
    if controls:
        from tinyreason.cli.evaluation_output import show_controls
        from tinyreason.runs.result import read_controls

        show_controls(context.console, read_controls(out))


def run_and_report(config: "RunConfig", out: Path, context: "RunContext", fresh: bool, controls: bool) -> None:
    """Runs the recipe, and its controls where they are asked for, and says what came of it."""
    from tinyreason.cli.train_output import announce, conclude

    announce(context, config, out)

    from tinyreason.pipeline.run import run

    conclude(context.console, run(config, out, context, fresh), out)
    if controls:
        from tinyreason.cli.evaluation_output import show_controls
        from tinyreason.evaluation.controls import run_controls

        found = run_controls(config, out, context.console, lambda it, at: run(it, at, context, fresh))
        show_controls(context.console, found)


@contextmanager
def offering(words: list[str]) -> Iterator[None]:
    """Prints the line that resumes the run, `tinyreason recipe` and these words, however it is ended early."""
    try:
        yield
    except (DiskError, KeyboardInterrupt):
        click.echo(f"tinyreason: to resume, type: {shlex.join(['tinyreason', 'recipe', *words])}", err=True)
        raise
