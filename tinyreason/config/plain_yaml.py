"""The YAML of recipes and overrides: numbers, true, false and null as in JSON, all else text; nothing huge."""

import math
import re
from itertools import accumulate, count
from typing import Any

import yaml

from tinyreason.errors import ConfigError

MOST_LETTERS, MOST_VALUES, MOST_DEPTH, LARGEST = 200_000, 10_000, 50, 2**32 - 1
"""What no recipe exceeds: letters of its text, values in it, values inside each other, and its largest number."""


class Plain(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML in which numbers, true, false and null are as in JSON, and all else is text: 007, 1:30, yes, 2024-01-01.

    Anchors and merge keys (`<<: *name`) work as in YAML. Its loader in C, where there is one, is nine times as fast.
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
    """Returns what the text says. Errors: `YAMLError`, `ValueError`, `RecursionError`.

    The parser's time grows with the square of what is open, so a text with too many open brackets is refused unread.
    """
    opened = accumulate({"[": 1, "{": 1, "]": -1, "}": -1}.get(letter, 0) for letter in text)
    if len(text) > MOST_LETTERS or max(opened, default=0) > MOST_DEPTH:
        raise ValueError(f"it has more than {MOST_LETTERS:,} letters, or more than {MOST_DEPTH} open brackets")
    return yaml.load(text, Plain)


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Lays `above` over `below`; sections merge, anything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


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
    """Returns whether the text can be written as UTF-8: it holds no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
