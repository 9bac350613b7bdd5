"""`tinyreason methods`: every reward, advantage, sampler, plan of rollouts, vote, adapter, kind of data and trainer."""

import json
from typing import TYPE_CHECKING

import click

from tinyreason.cli.options import JSON
from tinyreason.errors import ConfigError, nearest

if TYPE_CHECKING:
    from tinyreason.config.methods import Method

SHOWN = 2
"""So many measurements of a method are shown; --json has all."""


@click.command("methods", short_help="List every method: its idea, paper, options, needs and what was measured.")
@click.option(
    "--family",
    metavar="NAME",
    help="Only rewards, advantages, samplers, rollouts, votes, adapters, edits, data, transforms, asks, graders, "
    "tasks, teachers or trainers.",
)
@JSON
def methods_command(family: str | None, as_json: bool) -> None:
    """List every method: its idea, its paper, its options, what it needs and what was measured of it.

    A method's name is the `kind` that a recipe or an override gives. Your own are files: see docs/extending.md.
    """
    from tinyreason.config.methods import FAMILIES, methods
    from tinyreason.own_code.reference import installed

    if family is not None and family not in FAMILIES:
        raise ConfigError(f"there is no family '{family}'{nearest(family, FAMILIES)}.")
    found = methods(family)
    if as_json:
        click.echo(json.dumps([method.as_json() for method in found], indent=1, ensure_ascii=False))
        return
    for name in FAMILIES:
        if of_it := [method for method in found if method.family == name]:
            click.echo(f"\n{name}")
            for method in of_it:
                show_method(method)
            for other in installed(f"tinyreason.{name}"):
                click.echo(f"  {other:<23} of an installed package")


def show_method(method: "Method") -> None:
    """Prints what there is to say of a method."""
    lines = {"paper": ", ".join(method.papers), "options": ", ".join(option_words(method))}
    lines |= {"needs": ", ".join(method.needs), "measured": " · ".join(measured_words(method))}
    click.echo(f"  {method.name:<23} {method.idea}")
    for what, text in lines.items():
        if text:
            click.echo(f"  {'':<23} {what + ':':<9} {text}")


def option_words(method: "Method") -> list[str]:
    """Returns `name=default` of each option."""
    return [
        f"{option.name}=…" if option.is_needed else f"{option.name}={json.dumps(option.default, default=str)}"
        for option in method.options
    ]


def measured_words(method: "Method", most: int = SHOWN) -> list[str]:
    """Returns the first measurements of a method in words; `not measured` where there is none."""
    from tinyreason.config.methods import NOT_MEASURED

    found = [f"{one.what} ({one.where})" for one in method.measured[:most]]
    more = len(method.measured) - most
    return found + ([f"{more} more"] if more > 0 else []) or [NOT_MEASURED]
