"""A recipe is data: a YAML file, one tier of it, and the person's `key=value` overrides, resolved to a RunConfig."""

import json
import math
import re
from copy import copy
from dataclasses import dataclass
from itertools import accumulate, count
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from tinyreason.config.run_config import RunConfig
from tinyreason.config.tiers import TIERS
from tinyreason.errors import ConfigError, nearest
from tinyreason.schema import Schema

PACKAGE = Path(__file__).parents[1]
RECIPES = PACKAGE / "_recipes" if (PACKAGE / "_recipes").is_dir() else PACKAGE.parent / "recipes"
"""Inside an installed package; beside it in a checkout."""


MOST_LETTERS, MOST_VALUES, MOST_DEPTH, LARGEST = 200_000, 10_000, 50, 2**32 - 1


@dataclass(frozen=True)
class Recipe:
    """A recipe file as read: not yet a choice of tier, not yet validated."""

    name: str
    values: dict[str, Any]
    tiers: dict[str, dict[str, Any]]

    def card(self) -> dict[str, Any]:
        """What `recipes` says of it."""
        tiers = {tier: values.get("measured", "not yet") for tier, values in self.tiers.items()}
        return {"name": self.name, "about": self.values.get("about"), "paper": self.values.get("paper"), "tiers": tiers}

    def on(self, tier: str) -> dict[str, Any]:
        """The recipe's values with one tier's laid over them."""
        if tier not in self.tiers:
            raise ConfigError(f"recipe {self.name} has no tier '{tier}'{nearest(tier, self.tiers)}.")
        return merge(self.values, self.tiers[tier])

    def variants(self, tier: str) -> dict[str, dict[str, Any]]:
        """Short name → the values laid over the tier's: what `frontier` compares."""
        return self.on(tier).get("variants") or {}

    def resolve(
        self, tier: str, overrides: tuple[str, ...] = (), seed: int | None = None, variant: dict[str, Any] | None = None
    ) -> RunConfig:
        """The recipe on one tier, with a variant and the person's overrides over it, validated as a whole."""
        values = merge(self.on(tier), variant or {})
        values.pop("variants", None)
        apply_overrides(values, overrides)
        if values.keys() & {"recipe", "tier"}:
            raise ConfigError("recipe and tier are not knobs; type the recipe's name and --on TIER.")
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
    """The words that can be typed."""
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
    return Recipe(path.stem, values, tiers)


def check_size(values: Any, name: str) -> None:
    """Refuses what no recipe needs: aliases that multiply or hold themselves, huge numbers, broken characters."""
    left = [(name, values, 0)]
    for number in count():
        if not left:
            return
        place, value, depth = left.pop()
        if number > MOST_VALUES or depth > MOST_DEPTH:
            raise ConfigError(
                f"{name} holds more than {MOST_VALUES:,} values, or more than {MOST_DEPTH} inside each other, its "
                f"aliases written out; no recipe needs that."
            )
        if isinstance(value, dict):
            left += [(place, key, depth + 1) for key in value]
            left += [(f"{key!r:.80}".strip("'"), part, depth + 1) for key, part in value.items()]
        elif isinstance(value, list):
            left += [(place, part, depth + 1) for part in value]
        elif isinstance(value, int | float) and LARGEST < abs(value) < math.inf:
            raise ConfigError(f"{place}={value!r:.40} is too large a number; the largest allowed is {LARGEST}.")
        elif isinstance(value, str) and not is_writable(value):
            raise ConfigError(f"{place}={value!r:.80} holds half a character (of a surrogate pair); write it whole.")


def is_writable(text: str) -> bool:
    """Whether it can be written as UTF-8: no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`; sections merge, anything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


ALTERNATIVES = {"data.file": "data.name", "data.name": "data.file", "data.index": "data.id", "data.id": "data.index"}
"""Giving one of these takes the other away where only the recipe has set it."""


def apply_overrides(values: dict[str, Any], overrides: tuple[str, ...]) -> None:
    """Lays `path.to.key=value` over the values, in place; list items are named by number."""
    pairs = []
    for override in overrides:
        path, equals, text = override.partition("=")
        if not equals or not path or path.startswith("-"):
            raise ConfigError(
                f"'{override}' is not an override; type it as path.to.key=value, e.g. train.max_steps=50."
            )
        pairs.append((path, _parse(text)))
    given = {path for path, _ in pairs}
    for path in given & ALTERNATIVES.keys():
        section, _, other = ALTERNATIVES[path].rpartition(".")
        if ALTERNATIVES[path] not in given and isinstance(values.get(section), dict):
            values[section] = {key: value for key, value in values[section].items() if key != other}
    for path, value in pairs:
        if path == "adapter.kind" and value != values.get("adapter", {}).get("kind"):
            forget_adapter(values)
    for path, value in pairs:
        if path.startswith("rewards.") and path.count(".") == 2 and path.endswith(".kind"):
            forget_reward(values, path.removesuffix(".kind"), value)
    for path, value in pairs:
        _put(values, path, value)


def forget_adapter(values: dict[str, Any]) -> None:
    """Another kind of adapter starts from its own defaults: rank, α and learning rate were chosen for the recipe's."""
    values["adapter"] = {}
    if isinstance(values.get("train"), dict):
        values["train"] = {key: value for key, value in values["train"].items() if key != "learning_rate"}


def forget_reward(values: dict[str, Any], path: str, kind: Any) -> None:
    """Another kind of reward starts from its own defaults too."""
    number = path.partition(".")[2]
    rewards = values.get("rewards")
    if isinstance(rewards, list) and number.isdecimal() and int(number) < len(rewards):
        old = rewards[int(number)]
        if isinstance(old, dict) and old.get("kind") != kind:
            _put(values, path, {"kind": kind})


class Plain(yaml.SafeLoader):
    """YAML in which numbers, true, false and null are as in JSON, and all else is text: 007, 1:30, yes, 2024-01-01.

    Anchors and merge keys (`<<: *name`) work as in YAML.
    """

    yaml_implicit_resolvers = {}


for tag, pattern, first in (
    ("merge", "<<", "<"),
    ("null", "null|~|", ["n", "~", ""]),
    ("bool", "true|false", "tf"),
    ("int", "-?(0|[1-9][0-9]*)", "-0123456789"),
    ("float", r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    Plain.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"(?:{pattern})$"), list(first))


def read_yaml(text: str) -> Any:
    """What the text says. Errors: `YAMLError`, `ValueError`, `RecursionError`.

    The parser's time grows with the square of what is open, so text with too many open brackets is refused unread.
    """
    opened = accumulate({"[": 1, "{": 1, "]": -1, "}": -1}.get(letter, 0) for letter in text)
    if len(text) > MOST_LETTERS or max(opened, default=0) > MOST_DEPTH:
        raise ValueError(f"it has more than {MOST_LETTERS:,} letters, or more than {MOST_DEPTH} open brackets")
    return yaml.load(text, Plain)


def listed(text: str) -> tuple[str, list[str]]:
    """`key=a,b` → (key, values as overrides take them); a value may be a list or section in brackets."""
    key, _, values = text.partition("=")
    found = _parse(f"[{values}]")
    if not key or not isinstance(found, list) or not found:
        raise ConfigError(f"'{text}' is no knob with values; type it as path.to.key=a,b, e.g. train.kl=0,0.01.")
    return key, [json.dumps(value, ensure_ascii=False) for value in found]


def _parse(text: str) -> Any:
    try:
        return read_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return text


def _put(values: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    place: Any = values
    for depth, key in enumerate(parents, 1):
        if isinstance(place, dict) and place.get(key) is None:
            place[key] = {}
        item = copy(_item(place, key, ".".join(parents[:depth])))
        place[int(key) if isinstance(place, list) else key] = item
        place = item
    _item(place, last, path)
    place[int(last) if isinstance(place, list) else last] = value


def _item(place: Any, key: str, path: str) -> Any:
    if isinstance(place, dict):
        return place.get(key)
    if isinstance(place, list) and key.isdecimal() and int(key) < len(place):
        return place[int(key)]
    what = f"a list of {len(place)}, numbered from 0" if isinstance(place, list) else "not a section"
    raise ConfigError(f"there is no {path}: {path.rpartition('.')[0]} is {what}.")


def sentence(error: ValidationError, values: dict[str, Any]) -> str:
    """The first thing pydantic found wrong, as one sentence with the path, the value and what is allowed."""
    first, *others = error.errors(include_url=False)
    place: Any = values
    path = []
    for key in first["loc"]:
        inside = (isinstance(place, dict) and key in place) or (isinstance(place, list) and isinstance(key, int))
        if inside:
            place = place[key]
        if inside or (first["type"] in ("missing", "extra_forbidden") and key == first["loc"][-1]):
            path.append(str(key))
    name = ".".join(path)
    match first["type"]:
        case "extra_forbidden":
            text = f"there is no knob '{name}'{nearest(path[-1], _knobs(first['loc'][:-1]))}."
        case "missing":
            text = f"{name} is missing; type {name}=…"
        case "union_tag_not_found":
            text = f"{name}.kind is missing; type {name}.kind=…"
        case "union_tag_invalid":
            kinds = [kind.strip(" '") for kind in first["ctx"]["expected_tags"].split(",")]
            text = f"{name}.kind '{first['ctx']['tag']}' is unknown{nearest(first['ctx']['tag'], kinds)}."
        case "value_error":
            text = f"{name + ': ' if name else ''}{first['ctx']['error']}."
        case _:
            text = f"{name}={first['input']!r:.80}: {first['msg'][0].lower()}{first['msg'][1:]}."
    return text + (f" ({len(others)} more after this one.)" if others else "")


def _knobs(location: tuple[str | int, ...]) -> list[str]:
    """Names of the fields of the config class at a pydantic location."""
    classes: list[Any] = [RunConfig]
    for key in location:
        named = [kind for kind in _schemas(classes) if key == kind.model_fields.get("kind", Field()).default]
        below = [kind.model_fields[key].annotation for kind in _schemas(classes) if key in kind.model_fields]
        classes = named or below or classes
    return sorted({name for kind in _schemas(classes) for name in kind.model_fields})


def _schemas(annotations: list[Any]) -> list[type[Schema]]:
    """Every config class inside a list of type annotations."""
    found = []
    for annotation in annotations:
        if isinstance(annotation, type) and issubclass(annotation, Schema):
            found.append(annotation)
        else:
            found += _schemas(list(getattr(annotation, "__args__", ())))
    return found
