"""`tinyreason new`: the file of a recipe of one's own."""

import shlex
from pathlib import Path

import click

from tinyreason.cli.options import PATH, TIER
from tinyreason.errors import ConfigError, FolderError


@click.command("new", short_help="Write a recipe of your own that extends another.")
@click.argument("name")
@click.option(
    "--from", "base", metavar="RECIPE", required=True, help="The recipe that it extends, or the path of a .yaml file."
)
@TIER
@click.option("--out", type=PATH, help="File to write, or a folder for it; default: NAME.yaml here.")
def new_command(name: str, base: str, tier: str | None, out: Path | None) -> None:
    """Write NAME.yaml, a recipe of your own that extends another.

    The options that people change most stand in it as comments, with their values on the tier and their meaning. No
    file is overwritten.
    """
    from tinyreason.config.new_recipe import new_recipe
    from tinyreason.config.recipe import read_recipe
    from tinyreason.models.hardware import find_card, tier_for

    file = file_of(name, out)
    recipe = read_recipe(base)
    config = recipe.resolve(tier_for(recipe, tier, (), find_card())[0])
    word = shlex.quote(str(file))
    text = new_recipe(word, base, config)
    try:
        with open(file, "x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise FolderError(f"{file} is there already, and is not overwritten; choose another name or --out.") from None
    except OSError as error:
        raise FolderError(f"cannot write {file}: {error.strerror or error}; choose another --out.") from None
    click.echo(f"wrote {file}: {base}, and nothing changed yet. Change it, then type:")
    click.echo(f"tinyreason check {word}\ntinyreason recipe {word}")


def file_of(name: str, out: Path | None) -> Path:
    """Returns the file of a new recipe, which is called by its file's name. Errors: `ConfigError`."""
    from tinyreason.config.recipe import recipe_names

    name = name.removesuffix(".yaml")
    if not name or not name.replace("_", "").replace("-", "").isalnum():
        raise ConfigError(
            f"'{name}' cannot be a recipe's name; give letters, digits, - and _, and a folder with --out."
        )
    if name in recipe_names():
        raise ConfigError(f"'{name}' is the name of a shipped recipe; choose another.")
    file = Path(f"{name}.yaml") if out is None else out / f"{name}.yaml" if out.is_dir() else out
    if file.suffix not in (".yaml", ".yml") or file.stem != name:
        raise ConfigError(f"a recipe is called by its file's name, so --out {out} must end in {name}.yaml.")
    return file
