"""`tinyreason recipes`, `show` and `check`: what there is, what it resolves to, whether it is valid."""

import json
import re
from typing import TYPE_CHECKING

import click

from tinyreason.cli.options import JSON, OVERRIDES, PROCESSES, TIER, with_processes

if TYPE_CHECKING:
    from tinyreason.config.recipe import Recipe
    from tinyreason.config.run_config import RunConfig


@click.command("recipes", short_help="List the recipes, their tiers and what was measured.")
@click.argument("names", nargs=-1, metavar="[NAME ...]")
@JSON
def recipes_command(names: tuple[str, ...], as_json: bool) -> None:
    """List the recipes: what each is, its paper, its tiers and what was measured.

    With NAME only these, recipes or .yaml files.
    """
    from tinyreason.config.recipe import read_recipe, recipe_names

    cards = [read_recipe(name).card() for name in names or recipe_names()]
    if as_json:
        click.echo(json.dumps(cards, indent=1))
        return
    for card in cards:
        about, *more = [with_links(str(card[key])) for key in ("about", "paper") if card[key]] or [""]
        click.echo(f"{card['name']:<15} {about}".rstrip())
        for line in (*more, *(f"{tier:<8} measured: {measured}" for tier, measured in card["tiers"].items())):
            click.echo(f"{'':<16}{line}")


def with_links(text: str) -> str:
    """Returns a text with the address of every arXiv paper that it names by number."""
    return re.sub(r"\barXiv[ :]+(\d{4}\.\d{4,5})", r"https://arxiv.org/abs/\1", text)


@click.command("show", short_help="Show a recipe's resolved config, every option explained.")
@click.argument("name")
@OVERRIDES
@TIER
@JSON
def show_command(name: str, overrides: tuple[str, ...], tier: str | None, as_json: bool) -> None:
    """Show a recipe's resolved config, every option explained.

    NAME is a recipe or a .yaml file. key=value sets an option, so that you see what it changes.
    """
    from tinyreason.config.recipe import read_recipe
    from tinyreason.config.tiers import CPU_TIER, TIERS
    from tinyreason.models.hardware import find_card, tier_for

    recipe = read_recipe(name)
    if tier is None:
        card = find_card()
        tier, reason = tier_for(recipe, None, overrides, card)
        if not TIERS[tier].needs_gpu and (card or tier == CPU_TIER):
            click.echo(f"tinyreason: tier {tier}: {reason}", err=True)
    config = recipe.resolve(tier, overrides)
    if as_json:
        click.echo(config.model_dump_json(indent=1))
        return
    for line in config.explained().splitlines():
        click.echo(with_links(line) if line.startswith("paper:") else line)


@click.command("check", short_help="Validate a recipe on each of its tiers.")
@click.argument("name")
@OVERRIDES
@click.option("--on", "tier", metavar="TIER", help="Tier of the recipe; default: each of them.")
@PROCESSES
def check_command(name: str, overrides: tuple[str, ...], tier: str | None, processes: int | None) -> None:
    """Validate a recipe, with the options that key=value sets, on each of its tiers; nothing is run.

    Data files are read, gold answers looked at, and a local model's chat template; the packages and keys that the
    options need are looked for. What lies on the hub is not looked at. NAME is a recipe or a .yaml file.
    """
    from tinyreason.config.preconditions import check_preconditions
    from tinyreason.config.recipe import read_recipe
    from tinyreason.planning.inspection import Inspector

    recipe, inspector, tiers_of = read_recipe(name), Inspector(), {}
    configs = resolve_all(recipe, with_processes(overrides, processes), [tier] if tier else list(recipe.tiers))
    for config in configs.values():
        check_preconditions(config)
        for finding in inspector.inspect(config):
            tiers_of.setdefault(finding, []).append(config.tier)
    click.echo(f"{recipe.name}: valid on {', '.join(configs)}")
    for is_seen in (True, False):
        for finding, tiers in tiers_of.items():
            if finding.is_seen == is_seen:
                on = "" if len(tiers) == len(configs) else f"  [{', '.join(tiers)}]"
                click.echo(f"{finding.what:<16}{'' if is_seen else 'not looked at: '}{finding.text}{on}")
    click.echo(f"{'':<16}not looked at: weights, rewards of real completions; tinyreason dry-run {name} tries them")


def resolve_all(recipe: "Recipe", overrides: tuple[str, ...], tiers: list[str]) -> dict[str, "RunConfig"]:
    """Returns tier → config. Errors: `ConfigError`, the fault of each tier where they differ."""
    from tinyreason.errors import ConfigError

    configs, faults = {}, {}
    for tier in tiers:
        try:
            configs[tier] = recipe.resolve(tier, overrides)
        except ConfigError as error:
            faults.setdefault(str(error), []).append(tier)
    if len(faults) > 1:
        raise ConfigError(" ".join(f"On {', '.join(on)}: {fault}" for fault, on in faults.items()))
    if faults:
        raise ConfigError(*faults)
    return configs
