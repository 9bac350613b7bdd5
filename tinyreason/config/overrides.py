"""`path.to.key=value`, as a person types it after a recipe's name, laid over the recipe's values."""

import json
from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

import yaml

from tinyreason.config.plain_yaml import merge, read_yaml
from tinyreason.config.training_file import take_training_file
from tinyreason.errors import ConfigError

ALTERNATIVES = {"index": "id", "id": "index", "file": "name", "name": "file"}
"""Giving one of these to a source of data takes the other away where only the recipe has set it."""
SOURCES = {"data": {}, "evaluation.data": {"kind": "problems"}, "warmup.data": {}}
"""The sections that are sources of data → what they are unless it is said."""
OF_A_SET = {
    *("size", "subset", "split", "hub_file"),
    *("problem_column", "answer_column", "completion_column", "weight_column", "spans_column"),
}
"""What a recipe says of its own set, and not of a file that is given in its place: a file sets its own size."""


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


def values_in(override: str) -> dict[str, Any]:
    """Returns what an override says, under its last key."""
    path, _, text = override.partition("=")
    return {path.rpartition(".")[2]: _parse(text)}


def lay(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Lays the values of a file over those of the recipe that it extends, as `apply_overrides` does what is typed."""
    values = dict(below)
    make_room(values, dict(_paths(above)))
    return merge(values, above)


def make_room(values: dict[str, Any], given: dict[str, Any]) -> None:
    """Takes away what the recipe chose for what is now given otherwise: path → value."""
    take_training_file(values, given)
    if given.get("adapter.start") and not any(path.startswith("warmup") for path in given):
        values.pop("warmup", None)  # it began before
    for section, usual in SOURCES.items():
        own = {
            path.removeprefix(f"{section}."): value for path, value in given.items() if path.startswith(f"{section}.")
        }
        choose_source(values, section, usual, {key: value for key, value in own.items() if value is not None})
    for path, value in given.items():
        if path.endswith(".kind"):
            forget_kind(values, path.removesuffix(".kind"), value)


def forget_kind(values: dict[str, Any], section: str, kind: Any) -> None:
    """Lets another kind start from its own defaults: the recipe's were chosen for the recipe's kind.

    Of data the source stays, unless code of the person's own takes its place. The learning rate goes with the adapter.
    """
    if section.startswith(("rewards.", "samplers.", "advantage.")) and section.count(".") == 1:
        forget_item(values, section, kind)
    elif section.endswith(".task"):
        _keep(values, section, lambda key: False)
    elif section in ("adapter", "advantage", "data") and isinstance(values.get(section), dict):
        if values[section].get("kind") == kind:
            return
        of_source = source_options(kind) if section == "data" else set()  # shipped recipes are listed without pydantic
        _keep(values, section, lambda key: key in of_source)
        if section == "adapter":
            _keep(values, "train", lambda key: key != "learning_rate")


def source_options(kind: Any) -> set[str]:
    """Returns what says where data of a kind come from; nothing where that kind makes its own."""
    from tinyreason.data import DATA
    from tinyreason.data._source import Source

    return set(Source.model_fields) if kind in DATA and kind != "generated" else set()


def choose_source(values: dict[str, Any], section: str, usual: dict[str, Any], given: dict[str, Any]) -> None:
    """Takes away what the recipe says of its own set where another is given. Errors: `ConfigError` where two are."""
    if "file" in given and "name" in given:
        raise ConfigError(
            f"{section}.file={given['file']} and {section}.name={given['name']} are both given; data come from one "
            f"place: leave one out."
        )
    parent, _, last = section.rpartition(".")
    place = values.get(parent) if parent else values
    old = (place.get(last) or {}) if isinstance(place, dict) else None
    is_run = given.get("run") not in (None, "previous")  # which has problems of its own
    if not isinstance(old, dict) or not (is_run or given.keys() & ALTERNATIVES.keys()):
        return
    if old.get("kind") == "generated":
        old = {"kind": "solutions" if old.get("traces") else "problems"}
    gone = {ALTERNATIVES[key] for key in given if key in ALTERNATIVES} | (
        OF_A_SET if "file" in given or is_run else set()
    )
    gone |= {"file", "name"} if is_run else set()
    kept = usual | {key: value for key, value in old.items() if key not in gone}
    if parent:
        values[parent] = place | {last: kept}
    else:
        values[last] = kept


def forget_item(values: dict[str, Any], path: str, kind: Any) -> None:
    """Lets another kind of a list's item start from its own defaults too."""
    name, _, number = path.partition(".")
    items = values.get(name)
    if isinstance(items, list) and number.isdecimal() and int(number) < len(items):
        old = items[int(number)]
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
