"""`tinyreason bench`: how long a step takes here, beside TRL alone."""

import json
from typing import Literal

import click

from tinyreason.cli.options import ALLOW_CODE, COUNT, OVERRIDES, TIER


@click.command("bench", short_help="Measure how long a step takes here, beside TRL alone.")
@click.argument("name")
@OVERRIDES
@TIER
@click.option("--against", type=click.Choice(["trl"]), help="Measure the same steps of TRL alone too, taking turns.")
@click.option("--steps", type=click.IntRange(min=2), default=8, show_default=True, help="Steps of each turn.")
@click.option("--repeats", type=COUNT, default=3, show_default=True, help="Turns of each side.")
@ALLOW_CODE
def bench_command(
    name: str,
    overrides: tuple[str, ...],
    tier: str | None,
    against: Literal["trl"] | None,
    steps: int,
    repeats: int,
    allow_code: bool,
) -> None:
    """Measure the processor seconds of a training step on this machine, and print one line of JSON.

    NAME is a recipe or a .yaml file; key=value sets an option of it. A step is rollouts, grading, scoring and the
    update; each turn is a process of its own, and its first step is left out. Nothing is kept.
    """
    from tinyreason.config.own_code import check_allowed
    from tinyreason.config.recipe import read_recipe
    from tinyreason.console import Console, quiet_libraries
    from tinyreason.models.hardware import check_tier, take_card, tier_for
    from tinyreason.models.load import compute_settings_for
    from tinyreason.planning.bench import bench
    from tinyreason.runs.context import RunContext

    recipe, card = read_recipe(name), take_card()
    tier, _ = tier_for(recipe, tier, overrides, card)
    config = recipe.resolve(tier, (*overrides, f"train.max_steps={steps}"))
    check_tier(config.tier, card)
    check_allowed(config, allow_code)
    quiet_libraries(offline=config.is_offline)
    compute = compute_settings_for(config.model, config.kernels, card)
    found = bench(config, RunContext(Console(stderr=True), compute), against is not None, repeats)
    click.echo(json.dumps(found))
