"""The options and arguments that several commands share."""

from pathlib import Path

import click

PATH = click.Path(path_type=Path)
COUNT = click.IntRange(min=1)
TIER = click.option(
    "--on", "tier", metavar="TIER", help="Tier of the recipe: sandbox, t4, 24gb or 80gb; default: by this machine."
)
OVERRIDES = click.argument("overrides", nargs=-1, metavar="[key=value ...]")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
