"""Keeps paths of this machine out of what is given to others."""

import shlex
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any


def without_paths(value: Any) -> Any:
    """Returns a value, or a structure of them, with the last part alone of each absolute path."""
    if isinstance(value, dict):
        return {name: without_paths(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_paths(part) for part in value]
    if isinstance(value, str) and is_path(value):
        return PureWindowsPath(value).name if "\\" in value else PurePosixPath(value).name
    return value


def command_without_paths(line: str) -> str:
    """Returns a command line with the last part alone of each absolute path."""
    words = (word.partition("=") for word in shlex.split(line))
    return shlex.join(without_paths(name) + sign + without_paths(value) for name, sign, value in words)


def is_path(text: str) -> bool:
    """Returns whether a text is the absolute path of a machine."""
    return PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute() or text.startswith("~")
