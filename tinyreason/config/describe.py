"""Every option of a config section, with the help text that stands under it in the source."""

import ast
import inspect
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tinyreason.schema import Schema

STATEMENT = re.compile(r'^(?:(?:class|def) (\w+)|    (?:(\w+): |("{3}.*?"{3})$|[^\s)\]}]))', re.MULTILINE | re.DOTALL)
"""The beginning of a class or function and of a statement in it: an option, its help, or any other."""


def options(section: Schema) -> Iterator[tuple[str, str, Any]]:
    """Yields (field, name, value) of every option in its order; the items of a list are `rewards.0`, `rewards.1`, …"""
    for field in type(section).model_fields:
        value = getattr(section, field)
        if isinstance(value, tuple):
            yield from ((field, f"{field}.{number}", item) for number, item in enumerate(value))
        else:
            yield field, field, value


def sections(section: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Yields (path, section) of every section inside one, at any depth: `data`, `rewards.0`, `evaluation.data`."""
    for _, name, value in options(section):
        if isinstance(value, Schema):
            yield path + name, value
            yield from sections(value, f"{path}{name}.")


def explained(section: Schema, depth: int = 0) -> Iterator[str]:
    """Yields lines of YAML, one an option, sections opened, each with its help text behind it."""
    indent, texts = "  " * depth, option_help(type(section))
    for field, name, value in options(section):
        if isinstance(value, Schema):
            yield f"{indent}{name}:  # {(type(value).__doc__ or '').partition(chr(10))[0]}"
            yield from explained(value, depth + 1)
        else:
            shown = json.dumps(value, default=str, ensure_ascii=False)
            yield f"{indent}{name}: {shown}".ljust(44) + (f"  # {texts[field]}" if field in texts else "")


@cache
def option_help(schema: type[Schema]) -> dict[str, str]:
    """Returns option → the string under it in the source. (Pydantic can read these too, at every start-up.)"""
    texts = {}
    for kind in reversed(schema.__mro__):
        if issubclass(kind, Schema) and kind is not Schema:
            texts |= _texts(inspect.getfile(kind))[kind.__name__]
    return texts


@cache
def _texts(file: str) -> dict[str, dict[str, str]]:
    """Returns class → option → its help, of a source file indented by four; parsing it takes ten times as long."""
    texts: dict[str, dict[str, str]] = {}
    kind = option = ""
    for begins, named, text in STATEMENT.findall(Path(file).read_text(encoding="utf-8")):
        kind = begins or kind
        texts.setdefault(kind, {})
        if text and option:
            texts[kind][option] = ast.literal_eval(text)
        option = named
    return texts
