"""A recipe is data: a YAML file, one tier of it, and the person's `key=value` overrides, resolved to a RunConfig.

A file that says `extends: RECIPE` has what that recipe has, with its own values laid over it.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import yaml

from tinyreason.config.plain_yaml import check_size, merge, read_yaml
from tinyreason.config.tiers import TIERS, with_derived_tiers
from tinyreason.errors import ConfigError, nearest
from tinyreason.own_code.reference import placed

if TYPE_CHECKING:
    from tinyreason.config.run_config import RunConfig

PACKAGE = Path(__file__).parents[1]
RECIPES = PACKAGE / "_recipes" if (PACKAGE / "_recipes").is_dir() else PACKAGE.parent / "recipes"
"""Where the shipped recipes are: inside an installed package; beside it in a checkout."""


@dataclass(frozen=True)
class Recipe:
    """A recipe file as it was read, before a tier is chosen and anything is validated."""

    name: str
    values: dict[str, Any]
    tiers: dict[str, dict[str, Any]]
    derived: frozenset[str] = frozenset()
    """Those of the tiers that are not written out."""

    @classmethod
    def of(cls, name: str, values: dict[str, Any], tiers: dict[str, dict[str, Any]]) -> "Recipe":
        """Makes a recipe of the tiers that are written out."""
        found = with_derived_tiers(tiers)
        return cls(name, values, found, frozenset(found) - frozenset(tiers))

    def card(self) -> dict[str, Any]:
        """Returns what `tinyreason recipes` says of it."""
        tiers = {tier: values.get("measured", "not yet") for tier, values in self.tiers.items()}
        return {"name": self.name, "about": self.values.get("about"), "paper": self.values.get("paper"), "tiers": tiers}

    def on(self, tier: str) -> dict[str, Any]:
        """Lays one tier's values over the recipe's. Errors: `ConfigError`."""
        if tier not in self.tiers:
            raise ConfigError(f"recipe {self.name} has no tier '{tier}'{nearest(tier, self.tiers)}.")
        return merge(self.values, self.tiers[tier])

    def variants(self, tier: str) -> dict[str, dict[str, Any]]:
        """Returns short name → the values laid over the tier's: what `sweep` compares."""
        return self.on(tier).get("variants") or {}

    def laid(self, tier: str, overrides: tuple[str, ...], variant: dict[str, Any] | None = None) -> dict[str, Any]:
        """Returns the values on one tier with a variant and the overrides laid over them, not yet validated."""
        from tinyreason.config.overrides import apply_overrides

        values = merge(self.on(tier), variant or {})
        values.pop("variants", None)
        apply_overrides(values, overrides)
        return values

    def base_on(self, tier: str, overrides: tuple[str, ...]) -> str:
        """Returns the name of the model on one tier; empty where none is given."""
        model = self.laid(tier, overrides).get("model")
        return str(model.get("name") or "") if isinstance(model, dict) else ""

    def resolve(
        self, tier: str, overrides: tuple[str, ...] = (), seed: int | None = None, variant: dict[str, Any] | None = None
    ) -> "RunConfig":
        """Returns the recipe on one tier, a variant and the overrides laid over it, validated as a whole."""
        from pydantic import ValidationError

        from tinyreason.config.error_sentence import sentence
        from tinyreason.config.own_code import allow_typed
        from tinyreason.config.run_config import RunConfig

        values = self.laid(tier, overrides, variant)
        if values.keys() & {"recipe", "tier"}:
            raise ConfigError("recipe and tier are not options; type the recipe's name and --on TIER.")
        values |= {"recipe": self.name, "tier": tier}
        if overrides or variant:
            values["expected"] = None  # a changed run promises nothing
        if seed is not None:
            values["seed"] = seed
        check_size(values, self.name)
        try:
            return allow_typed(RunConfig.model_validate(values), overrides)
        except ValidationError as error:
            raise ConfigError(sentence(error, values)) from None


def recipe_names() -> list[str]:
    """Lists the shipped recipes' names."""
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def read_recipe(name_or_file: str, reading: tuple[Path, ...] = ()) -> Recipe:
    """Reads a shipped recipe by name, or any YAML file by path. `reading`: the files that extend it."""
    path = find_recipe(name_or_file)
    values = read_values(path)
    if isinstance(values, dict) and "extends" in values:
        return read_extending(path, values, reading)
    tiers = values.pop("tiers", None) if isinstance(values, dict) else None
    if (
        not isinstance(tiers, dict)
        or not tiers
        or tiers.keys() - set(TIERS)
        or not all(isinstance(tier, dict) for tier in tiers.values())
    ):
        raise ConfigError(
            f"{path} is not a recipe: it needs a section `tiers:` with at least one of {', '.join(TIERS)}, or "
            f"`extends:` with the recipe that it changes."
        )
    return Recipe.of(path.stem, values, tiers)


def find_recipe(name_or_file: str) -> Path:
    """Returns the file of a recipe. Errors: `ConfigError` for a name that is none."""
    path = Path(name_or_file)
    if path.suffix in (".yaml", ".yml"):
        return path
    if name_or_file not in recipe_names():
        here, hint = f"{name_or_file}.yaml", nearest(name_or_file, recipe_names())
        file = f"; for the file that is here type {here}" if os.path.exists(here) else ", or the path of a .yaml file"
        raise ConfigError(f"no recipe '{name_or_file}'{hint}{file}.")
    return RECIPES / f"{name_or_file}.yaml"


def read_values(path: Path) -> Any:
    """Returns what stands in a recipe's file. Errors: `ConfigError`."""
    try:
        values = read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read recipe {path}: {getattr(error, 'strerror', None) or error}.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from None
    check_size(values, str(path))
    return placed(values, path.parent)


def read_extending(path: Path, values: dict[str, Any], reading: tuple[Path, ...]) -> Recipe:
    """Reads a file that extends a recipe: its values are laid over each tier of it, then its own tier's over those.

    What the recipe expects and has measured is of the recipe alone.
    """
    from tinyreason.config.overrides import lay

    files, base_name, own_tiers = (*reading, path), values.pop("extends"), values.pop("tiers", None) or {}
    if path.resolve() in [file.resolve() for file in reading]:
        raise ConfigError(f"{' extends '.join(map(str, files))}: that is a circle; let one extend a shipped recipe.")
    if not isinstance(base_name, str):
        raise ConfigError(f"{path}: extends={base_name!r:.80} is neither a recipe's name nor the path of a .yaml file.")
    try:
        base = read_recipe(base_name, files)
    except ConfigError as error:
        raise error if reading else ConfigError(f"{path} extends {base_name!r:.80}: {error}") from None
    if not isinstance(own_tiers, dict) or not all(isinstance(tier, dict | None) for tier in own_tiers.values()):
        raise ConfigError(f"{path}: tiers is not a section of tiers, as in tiers: {{t4: {{train: {{max_steps: 9}}}}}}.")
    for tier in own_tiers.keys() - base.tiers.keys():
        raise ConfigError(
            f"{path}: {base_name}, which it extends, has no tier '{tier}'{nearest(str(tier), base.tiers)}."
        )
    tiers = {}
    for tier in base.tiers:
        if tier not in base.derived or tier in own_tiers:
            below = {key: value for key, value in base.on(tier).items() if key not in ("expected", "measured")}
            tiers[tier] = lay(lay(below, without_empty_keys(values)), without_empty_keys(own_tiers.get(tier) or {}))
    general = merge(base.values, without_empty_keys(values))
    return Recipe.of(path.stem, {key: general[key] for key in ("about", "paper", "trainer") if key in general}, tiers)


def without_empty_keys(values: dict[str, Any]) -> dict[str, Any]:
    """Leaves out the keys with nothing behind them, but where null is a value: a section whose lines are comments."""
    if None not in values.values():  # as shipped recipes: their list is made without pydantic
        return values
    from tinyreason.config.run_config import RunConfig

    fields = RunConfig.model_fields
    return {
        key: value
        for key, value in values.items()
        if value is not None or key not in fields or type(None) in get_args(fields[key].annotation)
    }
