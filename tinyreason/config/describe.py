"""Every knob of a config section with the help text that stands under it in the source."""

import ast
import inspect
import json
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

from tinyreason.schema import Schema


def explained(section: Schema, depth: int = 0) -> Iterator[str]:
    """Lines of YAML, one a knob, sections opened."""
    indent, texts = "  " * depth, option_help(type(section))
    for option in type(section).model_fields:
        value = getattr(section, option)
        for number, item in enumerate(value) if isinstance(value, tuple) else [(None, value)]:
            name = option if number is None else f"{option}.{number}"
            if isinstance(item, Schema):
                yield f"{indent}{name}:  # {(type(item).__doc__ or '').partition(chr(10))[0]}"
                yield from explained(item, depth + 1)
            else:
                shown = json.dumps(item, default=str, ensure_ascii=False)
                yield f"{indent}{name}: {shown}".ljust(44) + (f"  # {texts[option]}" if option in texts else "")


@cache
def option_help(schema: type[Schema]) -> dict[str, str]:
    """Knob → the string under it in the source. (Pydantic can read these too, at every start-up.)"""
    texts = {}
    for kind in reversed(schema.__mro__):
        if not issubclass(kind, Schema) or kind is Schema:
            continue
        body = ast.parse(inspect.getsource(kind)).body[0].body
        for field, text in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                texts[field.target.id] = text.value.value
    return texts
