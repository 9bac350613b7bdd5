"""The command line: short bodies, heavy imports inside them."""

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

import click

from tinyreason.cli import plan as cli_plan
from tinyreason.cli.build import critiques, solutions
from tinyreason.cli.chat import chat
from tinyreason.cli.evaluate import audit, compare, eval_
from tinyreason.cli.report import report
from tinyreason.cli.sweep import frontier
from tinyreason.errors import DiskError, Stopped, TinyReasonError


class Commands(click.Group):
    """A person's error is one sentence and exit code 2; 3 is a run that ended early and goes on, 130 an abrupt end."""

    def invoke(self, context: click.Context):
        try:
            return super().invoke(context)
        except Stopped as stopped:
            click.echo(f"tinyreason: {stopped}.", err=True)
            sys.exit(3)
        except (TinyReasonError, click.FileError) as error:
            text = error.format_message() if isinstance(error, click.FileError) else error
            click.echo(f"tinyreason: {text}", err=True)
            sys.exit(2)
        except KeyboardInterrupt:
            click.echo("tinyreason: stopped.", err=True)
            sys.exit(130)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tinyreason")
def main() -> None:
    """One command from a recipe's name to a trained adapter whose gain is proven."""


main.add_command(critiques)
main.add_command(solutions)
main.add_command(cli_plan.plan_command)
main.add_command(cli_plan.dry_run_command)
main.add_command(eval_)
main.add_command(compare)
main.add_command(audit)
main.add_command(report)
main.add_command(chat)
main.add_command(frontier)

TIER = click.option("--on", "tier", metavar="TIER", help="sandbox, t4, 24gb or 80gb; the default looks at the machine.")
OVERRIDES = click.argument("overrides", nargs=-1, metavar="[key=value ...]")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@main.command()
@click.argument("name")
@OVERRIDES
@TIER
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run; default runs/RECIPE-TIER-...")
@click.option("--seed", type=click.IntRange(min=0), help="Of the adapter's start, the rollouts and the data's order.")
@click.option("--controls", is_flag=True, help="Then train with a format-only and a random reward too, to compare.")
@click.option("--fresh", is_flag=True, help="Start over in --out; otherwise a run that was cut short there goes on.")
@click.option("--verify-resume", is_flag=True, help="Take the last two steps of the run in --out again, and compare.")
@click.option("--deadline", metavar="TIME", help="Save and end before: 11h30m, 18:30, 2026-11-22T09:00.")
def recipe(
    name: str,
    overrides: tuple[str, ...],
    tier: str | None,
    out: Path | None,
    seed: int | None,
    controls: bool,
    fresh: bool,
    verify_resume: bool,
    deadline: str | None,
) -> None:
    """Train by a recipe and measure the gain. NAME is a recipe or a .yaml file."""
    from tinyreason.cli.train_output import announce, conclude
    from tinyreason.config.recipe import read_recipe
    from tinyreason.console import Console, quiet_libraries
    from tinyreason.models.hardware import check_tier, choose_tier, find_card
    from tinyreason.models.load import compute_settings_for
    from tinyreason.runs.deadline import Deadline, read_deadline
    from tinyreason.runs.folder import default_folder

    end = deadline and read_deadline(deadline, datetime.now())
    plan, card = read_recipe(name), find_card()
    tier, why = (tier, "asked for with --on") if tier else choose_tier(plan.tiers, card)
    config = plan.resolve(tier, overrides, seed)
    check_tier(tier, card)
    if controls:
        from tinyreason.evaluation.controls import check_has_controls, run_controls

        check_has_controls(config)
    console, out = Console(), out or default_folder(config)
    again = ["tinyreason", "recipe", name, *overrides, "--on", tier, "--seed", str(config.seed)]
    again += ["--controls"] * controls + ["--out", str(out)]
    with Deadline(end or None, console.say) as stop, offering(shlex.join(again)):
        quiet_libraries(offline=tier == "sandbox")
        card = None if tier == "sandbox" else card  # the sandbox's figures are a CPU's
        compute = compute_settings_for(config.model, config.kernels, card)
        if verify_resume:
            from tinyreason.pipeline import verify_resume as verify

            click.echo(verify.verify_resume(config, out, compute, console))
            return
        announce(console, config, compute, why, out)
        if end:
            console.say(f"until   {end:%Y-%m-%d %H:%M} at the latest; then it is saved and goes on when you say so")

        from tinyreason.pipeline.run import run

        conclude(console, run(config, out, compute, why, console, stop, fresh), out)
        if controls:
            from tinyreason.cli.evaluation_output import show_controls

            found = run_controls(config, out, console, lambda it, at: run(it, at, compute, why, console, stop, fresh))
            show_controls(console, found)


@contextmanager
def offering(line: str) -> Iterator[None]:
    """However a run is ended before its time, the line that goes on with it is printed."""
    try:
        yield
    except (DiskError, KeyboardInterrupt):
        click.echo(f"tinyreason: to go on, type: {line}", err=True)
        raise


@main.command(short_help="List the recipes, their tiers and what was measured.")
@JSON
def recipes(as_json: bool) -> None:
    """List the recipes: what each is, its paper, its tiers and what was measured."""
    from tinyreason.config.recipe import read_recipe, recipe_names

    found = [read_recipe(name) for name in recipe_names()]
    if as_json:
        click.echo(json.dumps([plan.card() for plan in found], indent=1))
        return
    for card in (plan.card() for plan in found):
        click.echo(f"{card['name']:<16}{card['about']}\n{'':<16}{card['paper']}")
        for tier, measured in card["tiers"].items():
            click.echo(f"{'':<16}{tier:<8} measured: {measured}")


@main.command()
@click.argument("name")
@OVERRIDES
@TIER
@JSON
def show(name: str, overrides: tuple[str, ...], tier: str | None, as_json: bool) -> None:
    """Show a recipe's resolved config, every knob explained."""
    from tinyreason.config.recipe import read_recipe
    from tinyreason.models.hardware import choose_tier, find_card

    plan = read_recipe(name)
    config = plan.resolve(tier or choose_tier(plan.tiers, find_card())[0], overrides)
    click.echo(config.model_dump_json(indent=1) if as_json else config.explained())


@main.command()
@click.argument("name")
@OVERRIDES
def check(name: str, overrides: tuple[str, ...]) -> None:
    """Validate a recipe on each of its tiers, and nothing else."""
    from tinyreason.config.recipe import read_recipe

    plan = read_recipe(name)
    for tier in plan.tiers:
        plan.resolve(tier, overrides)
    click.echo(f"{plan.name}: valid on {', '.join(plan.tiers)}")


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--completion-field", default="completion", show_default=True, help="Column of the replies.")
@click.option("--answer-field", default="answer", show_default=True, help="Column of the gold answers.")
@click.option("--out", type=click.File("w", "utf-8", atomic=True), help="Write one verdict a row here, as JSONL.")
@JSON
def grade(file: Path, completion_field: str, answer_field: str, out: IO[str] | None, as_json: bool) -> None:
    """Judge the replies in FILE against its gold answers."""
    from tinyreason.console import Console
    from tinyreason.data import read_rows
    from tinyreason.grading.grader import Grader, grade_rows, tally

    rows, verdicts = read_rows(file), []
    with Grader() as grader, Console(stderr=as_json).live("graded", total=len(rows)) as live:
        for verdict in grade_rows(rows, completion_field, answer_field, grader):
            verdicts.append(verdict)
            live.advance()
            if out:
                out.write(json.dumps(vars(verdict)) + "\n")
    counts = tally(verdicts)
    if as_json:
        click.echo(json.dumps(counts))
        return
    accuracy = "unknown" if counts["accuracy"] is None else f"{counts['accuracy']:.2%}"
    click.echo(f"accuracy {accuracy}: {counts['right']} of {counts['judged']} right")
    if counts["judged"] < counts["rows"]:
        click.echo(f"rows not judged, their gold answers cannot be parsed: {counts['rows'] - counts['judged']}")


@main.command()
@JSON
def doctor(as_json: bool) -> None:
    """What this machine has, and what is missing. Exit code 0 when the main job can run."""
    from tinyreason.console import Console, quiet_libraries
    from tinyreason.planning.machine_facts import machine_facts

    quiet_libraries(offline=True)
    facts = machine_facts()
    if as_json:
        click.echo(json.dumps([vars(fact) for fact in facts], indent=1))
    else:
        marks = {True: "ok", False: "NO", None: ""}
        Console().table([(fact.name, marks[fact.ok], fact.value) for fact in facts], header=("", "", "found"))
        for fact in facts:
            if fact.advice and fact.ok is not True:
                click.echo(f"{fact.name}: {fact.advice}")
    if any(fact.ok is False for fact in facts):
        click.echo("tinyreason: the main job cannot run here yet.", err=True)
        sys.exit(1)
    if not as_json:
        click.echo("The main job can run here; type: tinyreason recipe one_shot_rlvr")


@main.command(short_help="Rank problems by how much they teach.")
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--history", type=click.Path(path_type=Path), help="JSON: problem id → list of accuracies per epoch.")
@click.option("--by", type=click.Choice(["variance", "pass_rate"]), default="variance", show_default=True)
@click.option("--top", type=click.IntRange(min=1), help="Only the first so many.")
@JSON
def select(run: Path | None, history: Path | None, by: str, top: int | None, as_json: bool) -> None:
    """Rank problems by how much they teach, from the rollouts of RUN or from a --history file."""
    from tinyreason.console import Console
    from tinyreason.data.selection import history_of_run, rank, read_history
    from tinyreason.errors import ConfigError

    if (run is None) == (history is None):
        raise ConfigError("give the folder of a run or --history FILE, one of the two.")
    ranked = rank(read_history(history) if history else history_of_run(run), by, top)
    if as_json:
        click.echo(json.dumps(ranked, indent=1))
        return
    rows = [(str(row["rank"]), row["id"], f"{row['score']:.4f}", f"{row['mean_accuracy']:.2f}") for row in ranked]
    Console().table(rows, header=("rank", "problem", by.replace("_", " "), "mean accuracy"))
