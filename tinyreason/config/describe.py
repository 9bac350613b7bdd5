"""Every option of a config section, with the help text that stands under it in the source."""

import ast
import inspect
import json
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from tinyreason.schema import Schema


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
        if not issubclass(kind, Schema) or kind is Schema:
            continue
        for field, text in pairwise(_classes(inspect.getfile(kind))[kind.__name__].body):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                texts[field.target.id] = text.value.value
    return texts


@cache
def _classes(file: str) -> dict[str, ast.ClassDef]:
    """Returns the classes of a source file by name; `inspect.getsource` would read the file anew for each."""
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
