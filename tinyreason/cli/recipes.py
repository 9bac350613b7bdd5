"""`tinyreason recipes`, `show` and `check`: what there is, what it resolves to, whether it is valid."""

import json
import re

import click

from tinyreason.cli.options import JSON, OVERRIDES, TIER


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
    from tinyreason.config.tiers import TIERS
    from tinyreason.models.hardware import choose_tier, find_card

    recipe = read_recipe(name)
    if tier is None:
        card = find_card()
        tier, reason = choose_tier(recipe.tiers, card)
        if card and not TIERS[tier].needs_gpu:
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
def check_command(name: str, overrides: tuple[str, ...]) -> None:
    """Validate a recipe, with the options that key=value sets, on each of its tiers; nothing is run.

    Data files are read, and the packages and keys that the options need are looked for. NAME is a recipe or a .yaml
    file.
    """
    from tinyreason.config.preconditions import check_preconditions, sections_with_files
    from tinyreason.config.recipe import read_recipe

    recipe = read_recipe(name)
    configs = [recipe.resolve(tier, overrides) for tier in recipe.tiers]
    for config in configs:
        check_preconditions(config)
    for source in {section.file: section for config in configs for section in sections_with_files(config)}.values():
        source.rows()
    click.echo(f"{recipe.name}: valid on {', '.join(recipe.tiers)}")
