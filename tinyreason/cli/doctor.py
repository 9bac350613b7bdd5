"""`tinyreason doctor`: what this machine has, and what is missing."""

import json
import sys

import click

from tinyreason.cli.options import JSON


@click.command("doctor", short_help="Say what this machine has, and what is missing.")
@JSON
def doctor_command(as_json: bool) -> None:
    """Say what this machine has, and what is missing. The exit code is 0 where recipes can run."""
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
        click.echo("tinyreason: recipes cannot run here yet.", err=True)
        sys.exit(1)
    if not as_json:
        click.echo("Recipes can run here; type: tinyreason recipe one_shot_rlvr")
