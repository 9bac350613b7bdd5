"""What pydantic finds wrong with a config, as the one sentence that a person reads."""

from typing import Any

from pydantic import Field, ValidationError

from tinyreason.config.run_config import RunConfig
from tinyreason.errors import nearest
from tinyreason.schema import Schema


def sentence(error: ValidationError, values: dict[str, Any]) -> str:
    """Writes the first thing pydantic found wrong as one sentence: the path, the value and what is allowed."""
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
            text = f"there is no option '{name}'{nearest(path[-1], _options(first['loc'][:-1]))}."
        case "missing":
            text = f"{name} is missing; type {name}=…"
        case "union_tag_not_found":
            text = f"{name}.kind is missing; type {name}.kind=…"
        case "union_tag_invalid":
            kinds = [kind.strip(" '") for kind in first["ctx"]["expected_tags"].split(",")]
            text = f"{name}.kind '{first['ctx']['tag']}' is unknown{nearest(first['ctx']['tag'], kinds)}."
        case "int_parsing" | "int_from_float" | "int_type":
            text = f"{name}={first['input']!r:.80} is not a whole number."
        case "float_parsing" | "float_type":
            text = f"{name}={first['input']!r:.80} is not a number."
        case "bool_parsing" | "bool_type":
            text = f"{name}={first['input']!r:.80} is neither true nor false."
        case "tuple_type" | "list_type":
            text = f"{name}={first['input']!r:.80} is not a list; a list is typed in brackets, [a, b]."
        case "value_error":
            text = f"{name + ': ' if name else ''}{first['ctx']['error']}."
        case _:
            text = f"{name}={first['input']!r:.80}: {first['msg'][0].lower()}{first['msg'][1:]}."
    return text + (f" ({len(others)} more after this one.)" if others else "")


def _options(location: tuple[str | int, ...]) -> list[str]:
    """Lists the options of the config class at a pydantic location."""
    classes: list[Any] = [RunConfig]
    for key in location:
        named = [kind for kind in _schemas(classes) if key == kind.model_fields.get("kind", Field()).default]
        below = [kind.model_fields[key].annotation for kind in _schemas(classes) if key in kind.model_fields]
        classes = named or below or classes
    return sorted({name for kind in _schemas(classes) for name in kind.model_fields})


def _schemas(annotations: list[Any]) -> list[type[Schema]]:
    """Lists every config class inside these type annotations."""
    found = []
    for annotation in annotations:
        if isinstance(annotation, type) and issubclass(annotation, Schema):
            found.append(annotation)
        else:
            found += _schemas(list(getattr(annotation, "__args__", ())))
    return found
