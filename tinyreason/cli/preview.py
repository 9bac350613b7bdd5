"""`tinyreason preview`: what a recipe will train on, as the model will see it."""

import json
from typing import TYPE_CHECKING

import click

from tinyreason.cli.options import ALLOW_CODE, JSON, OVERRIDES, TIER

if TYPE_CHECKING:
    from tinyreason.console import Console
    from tinyreason.pipeline.preview import Preview


@click.command("preview", short_help="Show what a recipe will train on, as the model will see it.")
@click.argument("name")
@OVERRIDES
@TIER
@ALLOW_CODE
@JSON
def preview_command(name: str, overrides: tuple[str, ...], tier: str | None, allow_code: bool, as_json: bool) -> None:
    """Show what a recipe will train on: three rows as the model will see them, lengths, repeats, overlap with the test.

    What is trained on is marked: reversed on a terminal, else between [[ and ]]. NAME is a recipe or a .yaml file;
    key=value sets an option, as data.file=FILE. Nothing is trained, and no weights are read.
    """
    from tinyreason.config import own_code
    from tinyreason.config.preconditions import check_preconditions
    from tinyreason.config.recipe import read_recipe
    from tinyreason.config.tiers import TIERS
    from tinyreason.console import Console, quiet_libraries
    from tinyreason.models.hardware import find_card, tier_for

    recipe = read_recipe(name)
    tier, _ = tier_for(recipe, tier, overrides, find_card())
    config = recipe.resolve(tier, overrides)
    check_preconditions(config)
    if allow_code:
        own_code.allow_code(config)
    quiet_libraries(offline=TIERS[tier].is_offline)

    from tinyreason.pipeline.preview import preview

    found = preview(config, Console(stderr=True))
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=1))
    else:
        show_preview(Console(), found)


def show_preview(console: "Console", found: "Preview") -> None:
    """Prints a preview."""
    console.say(f"recipe  {found.recipe}, tier {found.tier}, model {found.model}")
    console.say(f"data    {found.data}: {found.rows:,} {found.kind} to train on")
    for line in found.transforms:
        console.say(line)
    for when, row in zip(("before", "after"), found.rewritten, strict=False):
        console.say(f"\nrow {row['id']} {when} them, of weight {row['weight']:g}" + spans_in_words(row["spans"]))
        console.marked([(f"{row['problem']}\n→ {row['completion'] or row['answer']}", False)])
    for number, row in enumerate(found.shown, 1):
        trained = f", {row.trained_tokens:,} of them trained on" if found.kind == "rows" else ""
        console.say(f"\n{found.kind[:-1]} {number} of {found.rows:,} (id {row.id}): {row.tokens:,} tokens{trained}")
        console.marked(row.pieces)
    if found.kind == "prompts":
        console.say("\nThe completions that are trained on are made later: they begin where each prompt ends.")
    console.say(f"\nend     {found.end['text']} (token {found.end['id']}) is the last token of a completion")
    console.say(
        f"lengths {found.median_tokens:,} tokens in the middle, {found.longest_tokens:,} at most; {found.over_limit:,} "
        f"longer than {found.limit or 'any'} ({found.limit_is}) are left out of the training"
    )
    console.say(f"repeats {found.duplicates:,} repeat an earlier one")
    if not found.test:
        console.say(f"test    not known here: {found.test_is}")
        return
    whole, nearly, run = found.overlap.values()
    console.say(
        f"test    {found.test:,} problems {found.test_is}; in the training data are {whole:,} whole and {nearly:,} "
        f"nearly, which are left out of the test, and {run:,} with 13 words in a row: tinyreason audit names them"
    )


def spans_in_words(spans: list) -> str:
    """Returns what characters of a completion count otherwise than the rest."""
    return "".join(f"; characters {start:,} to {end:,} count {weight:g}" for start, end, weight in spans)
