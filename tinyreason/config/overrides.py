"""`path.to.key=value`, as a person types it after a recipe's name, laid over the recipe's values."""

import json
from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

import yaml

from tinyreason.config.plain_yaml import read_yaml
from tinyreason.config.training_file import take_training_file
from tinyreason.data._source import Source
from tinyreason.errors import ConfigError

ALTERNATIVES = {
    "data.file": "data.name",
    "data.name": "data.file",
    "data.index": "data.id",
    "data.id": "data.index",
    "evaluation.data.file": "evaluation.data.name",
    "evaluation.data.name": "evaluation.data.file",
}
"""Giving one of these takes the other away where only the recipe has set it."""


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Lays `above` over `below`; sections merge, anything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


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
    make_room(values, dict(pairs))
    for path, value in pairs:
        _put(values, path, value)


def lay(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Lays the values of a file over those of the recipe that it extends, as `apply_overrides` does what is typed."""
    values = dict(below)
    make_room(values, dict(_paths(above)))
    return merge(values, above)


def make_room(values: dict[str, Any], given: dict[str, Any]) -> None:
    """Takes away what the recipe chose for what is now given otherwise: path → value."""
    take_training_file(values, given)
    for path in given.keys() & ALTERNATIVES.keys():
        section, _, other = ALTERNATIVES[path].rpartition(".")
        if given[path] is not None and ALTERNATIVES[path] not in given:
            _keep(values, section, lambda key, other=other: key != other)
    for path, value in given.items():
        if path.endswith(".kind"):
            forget_kind(values, path.removesuffix(".kind"), value)


def forget_kind(values: dict[str, Any], section: str, kind: Any) -> None:
    """Lets another kind start from its own defaults: the recipe's were chosen for the recipe's kind.

    Of data the source stays; the learning rate goes with the adapter.
    """
    if section.startswith("rewards.") and section.count(".") == 1:
        forget_reward(values, section, kind)
    elif section in ("adapter", "advantage", "data") and isinstance(values.get(section), dict):
        if values[section].get("kind") == kind:
            return
        _keep(values, section, lambda key: section == "data" and key in Source.model_fields)
        if section == "adapter":
            _keep(values, "train", lambda key: key != "learning_rate")


def forget_reward(values: dict[str, Any], path: str, kind: Any) -> None:
    """Lets another kind of reward start from its own defaults too."""
    number = path.partition(".")[2]
    rewards = values.get("rewards")
    if isinstance(rewards, list) and number.isdecimal() and int(number) < len(rewards):
        old = rewards[int(number)]
        if isinstance(old, dict) and old.get("kind") != kind:
            _put(values, path, {"kind": kind})


def listed(text: str) -> tuple[str, list[str]]:
    """Reads `key=a,b` as (key, values as overrides take them); a value may be a list or section in brackets."""
    key, _, values = text.partition("=")
    found = _parse(f"[{values}]")
    if not key or not isinstance(found, list) or not found:
        raise ConfigError(f"'{text}' is not an option with values; type it as path.to.key=a,b, e.g. train.kl=0,0.01.")
    return key, [json.dumps(value, ensure_ascii=False) for value in found]


def _paths(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields (path, value) of every value that is not a section."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _paths(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _keep(values: dict[str, Any], path: str, wanted: Callable[[str], bool]) -> None:
    """Leaves of a section what is wanted, in place; the recipe's own section stays as it is."""
    place: Any = values
    for key in path.split("."):
        place = place.get(key) if isinstance(place, dict) else None
    if isinstance(place, dict):
        _put(values, path, {key: value for key, value in place.items() if wanted(key)})


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
