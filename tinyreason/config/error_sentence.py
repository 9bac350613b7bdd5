"""What pydantic finds wrong with a config, as the one sentence that a person reads."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from tinyreason.config.run_config import RunConfig
from tinyreason.errors import nearest
from tinyreason.schema import Schema, Section


def sentence(error: ValidationError, values: dict[str, Any]) -> str:
    """Writes what pydantic found wrong as one sentence: all keys that are missing or unknown, else the first fault."""
    errors = error.errors(include_url=False)
    keys = [fault for fault in errors if fault["type"] in ("missing", "extra_forbidden", "union_tag_not_found")]
    left = len(errors) - max(1, len(keys))
    text = _keys(keys, values) if len(keys) > 1 else _fault((keys or errors)[0], values)
    return text + (f" ({left} more after this one.)" if left else "")


def _keys(faults: list[Any], values: dict[str, Any]) -> str:
    """Writes all keys that are unknown, each with its nearest, and all that are missing."""
    unknown, missing = [], []
    for fault in faults:
        path = _path(fault, values)
        if fault["type"] == "extra_forbidden":
            close = get_close_matches(path[-1], _options(fault["loc"][:-1], values), n=1)
            unknown.append(f"'{'.'.join(path)}'" + (f" (did you mean '{close[0]}'?)" if close else ""))
        else:
            missing.append(".".join(path) + (".kind" if fault["type"] == "union_tag_not_found" else ""))
    parts = [f"there is no option {', '.join(unknown)}"] * bool(unknown)
    parts += [f"missing: {', '.join(missing)}"] * bool(missing)
    return f"{'; '.join(parts)}; tinyreason show rlvr has every option in its place."


def _path(fault: Any, values: dict[str, Any]) -> list[str]:
    """Returns the path of a fault as a person types it, without pydantic's names of classes."""
    place: Any = values
    path = []
    for key in fault["loc"]:
        inside = (isinstance(place, dict) and key in place) or (isinstance(place, list) and key in range(len(place)))
        if inside:
            place = place[key]
        if inside or (fault["type"] in ("missing", "extra_forbidden") and key == fault["loc"][-1]):
            path.append(str(key))
    return path


def _fault(first: Any, values: dict[str, Any]) -> str:
    """Writes one fault as a sentence: the path, the value and what is allowed."""
    path = _path(first, values)
    name = ".".join(path)
    match first["type"]:
        case "extra_forbidden":
            return f"there is no option '{name}'{nearest(path[-1], _options(first['loc'][:-1], values))}."
        case "missing":
            return f"{name} is missing; type {name}=…"
        case "union_tag_not_found":
            return f"{name}.kind is missing; type {name}.kind=…"
        case "union_tag_invalid":
            kinds = [kind.strip(" '") for kind in first["ctx"]["expected_tags"].split(",")]
            return f"{name}.kind '{first['ctx']['tag']}' is unknown{nearest(first['ctx']['tag'], kinds)}."
        case "int_parsing" | "int_from_float" | "int_type":
            return f"{name}={first['input']!r:.80} is not a whole number."
        case "float_parsing" | "float_type":
            return f"{name}={first['input']!r:.80} is not a number."
        case "bool_parsing" | "bool_type":
            return f"{name}={first['input']!r:.80} is neither true nor false."
        case "tuple_type" | "list_type":
            return f"{name}={first['input']!r:.80} is not a list; a list is typed in brackets, [a, b]."
        case "value_error":
            return f"{name + ': ' if name else ''}{first['ctx']['error']}."
    return f"{name}={first['input']!r:.80}: {first['msg'][0].lower()}{first['msg'][1:]}."


def _options(location: tuple[str | int, ...], values: Any) -> list[str]:
    """Lists the options of the config class at a pydantic location in these values."""
    types, trainer = [RunConfig], None
    for key in location:
        types = [one for kind in _classes(types, values) for one in _types_of(kind, key)] or types
        if isinstance(values, dict):
            trainer = values.get("trainer", trainer)
            values = values.get(key, values)
        elif isinstance(values, list) and key in range(len(values)):
            values = values[key]
        if key == "train" and isinstance(values, dict):
            values = {"kind": trainer} | values
    return sorted({name for kind in _classes(types, values) for name in kind.model_fields})


def _classes(types: list[Any], values: Any) -> list[type[Schema]]:
    """Lists the config classes among these types; of a section the one that its values are of."""
    found = (one.class_of(values) if issubclass(one, Section) else one for one in types)
    return [kind for kind in found if kind]


def _types_of(kind: type[Schema], option: str | int) -> Iterator[Any]:
    """Yields the config classes and sections inside the type annotation of an option."""
    left = [kind.model_fields[option].annotation] if option in kind.model_fields else []
    while left:
        annotation = left.pop()
        if isinstance(annotation, type) and issubclass(annotation, Schema | Section):
            yield annotation
        left += getattr(annotation, "__args__", ())
