"""A recipe is data: a YAML file, one tier of it, and the person's `key=value` overrides, resolved to a RunConfig."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from tinyreason.config.error_sentence import sentence
from tinyreason.config.overrides import apply_overrides, merge
from tinyreason.config.plain_yaml import check_size, read_yaml
from tinyreason.config.run_config import RunConfig
from tinyreason.config.tiers import TIERS, with_derived_tiers
from tinyreason.errors import ConfigError, nearest

PACKAGE = Path(__file__).parents[1]
RECIPES = PACKAGE / "_recipes" if (PACKAGE / "_recipes").is_dir() else PACKAGE.parent / "recipes"
"""Where the shipped recipes are: inside an installed package; beside it in a checkout."""


@dataclass(frozen=True)
class Recipe:
    """A recipe file as it was read, before a tier is chosen and anything is validated."""

    name: str
    values: dict[str, Any]
    tiers: dict[str, dict[str, Any]]

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

    def resolve(
        self, tier: str, overrides: tuple[str, ...] = (), seed: int | None = None, variant: dict[str, Any] | None = None
    ) -> RunConfig:
        """Returns the recipe on one tier, a variant and the overrides laid over it, validated as a whole."""
        values = merge(self.on(tier), variant or {})
        values.pop("variants", None)
        apply_overrides(values, overrides)
        if values.keys() & {"recipe", "tier"}:
            raise ConfigError("recipe and tier are not options; type the recipe's name and --on TIER.")
        values |= {"recipe": self.name, "tier": tier}
        if overrides or variant:
            values["expected"] = None  # a changed run promises nothing
        if seed is not None:
            values["seed"] = seed
        check_size(values, self.name)
        try:
            return RunConfig.model_validate(values)
        except ValidationError as error:
            raise ConfigError(sentence(error, values)) from None


def recipe_names() -> list[str]:
    """Lists the shipped recipes' names."""
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def read_recipe(name_or_file: str) -> Recipe:
    """Reads a shipped recipe by name, or any YAML file by path."""
    path = Path(name_or_file)
    if path.suffix not in (".yaml", ".yml"):
        if name_or_file not in recipe_names():
            hint = nearest(name_or_file, recipe_names())
            raise ConfigError(f"no recipe '{name_or_file}'{hint}, or the path of a .yaml file.")
        path = RECIPES / f"{name_or_file}.yaml"
    try:
        values = read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read recipe {path}: {getattr(error, 'strerror', None) or error}.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from None
    check_size(values, str(path))
    tiers = values.pop("tiers", None) if isinstance(values, dict) else None
    if (
        not isinstance(tiers, dict)
        or not tiers
        or tiers.keys() - set(TIERS)
        or not all(isinstance(tier, dict) for tier in tiers.values())
    ):
        raise ConfigError(
            f"{path} is not a recipe: it needs a section `tiers:` with at least one of {', '.join(TIERS)}."
        )
    return Recipe(path.stem, values, with_derived_tiers(tiers))
