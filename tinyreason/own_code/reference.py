"""Where code of the person's own is: `./my_reward.py:reward`, or the name that an installed package gave it."""

import ast
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyreason.errors import ConfigError, nearest

LARGEST_FILE = 1_000_000
"""Bytes of the largest file that is taken for code."""
_CODE = re.compile(r"(.*\.py)(?::(.*))?", re.DOTALL)

ALLOWED: set[str] = set()
"""SHA-256 of the files that the person lets run: what is in no file of this set never runs."""


@dataclass(frozen=True)
class CodeReference:
    """A function or class in a file, or one that an installed package names as an entry point."""

    kind: str
    """What messages call it: `my_reward.py:reward`."""
    group: str
    """Entry points among which a package's is, as `tinyreason.rewards`."""
    file: Path | None
    sha256: str | None

    @property
    def name(self) -> str:
        """The function or class in the file."""
        return self.kind.rpartition(":")[2]

    def check(self) -> None:
        """Refuses what can be seen to be wrong without running it. Errors: `ConfigError`."""
        if self.file is None:
            if not installed(self.group, self.kind):
                raise ConfigError(f"no installed package has {self.kind} among its entry points {self.group}.")
            return
        found = names_in(self.file)
        if self.sha256 != (here := read_sha256(self.file)):
            raise ConfigError(
                f"{self.file} is another file than that of code_sha256: {str(here)[:8]}… here, not "
                f"{str(self.sha256)[:8]}…; read it, and take code_sha256 out of the recipe."
            )
        if self.name not in found:
            raise ConfigError(
                f"{self.file} has no function or class '{self.name}'{nearest(self.name, found)}; name one as in "
                f"kind: {self.file}:NAME."
            )

    def check_allowed(self) -> None:
        """Refuses a file that a recipe names and nobody has allowed. Errors: `ConfigError`."""
        if self.file is not None and self.sha256 not in ALLOWED:
            raise ConfigError(
                f"the recipe runs code of {self.file}; read that file, and if you trust it, add --allow-code (in "
                f"Python: load_recipe(…, allow_code=True))."
            )


def is_file_kind(kind: Any) -> bool:
    """Returns whether a `kind` names code in a file."""
    return isinstance(kind, str) and _CODE.fullmatch(kind) is not None


def split_kind(kind: str) -> tuple[Path, str]:
    """Returns (file, name in it) of `./my_reward.py:reward`; the name is empty where none is given."""
    file, name = _CODE.fullmatch(kind).groups()
    return Path(os.path.expanduser(file)), name or ""


def placed(values: Any, folder: Path) -> Any:
    """Returns what a recipe says, with the files of its code relative to the recipe's folder."""
    if isinstance(values, list):
        return [placed(value, folder) for value in values]
    if not isinstance(values, dict):
        return values
    found = {key: placed(value, folder) for key, value in values.items()}
    if is_file_kind(found.get("kind")) and "code" not in found:
        file, name = split_kind(found["kind"])
        found["kind"] = f"{folder / file}:{name}"
    return found


def files_in(values: Any) -> set[Path]:
    """Returns the files of code that these values name."""
    if isinstance(values, list):
        return set().union(*map(files_in, values))
    if isinstance(values, dict):
        own = {split_kind(values["kind"])[0].resolve()} if is_file_kind(values.get("kind")) else set()
        return own.union(*map(files_in, values.values()))
    return set()


def read_sha256(file: Path) -> str | None:
    """Returns the SHA-256 of a file of code; None where there is none that can be read."""
    try:
        if file.is_file() and file.stat().st_size <= LARGEST_FILE:
            return hashlib.sha256(file.read_bytes()).hexdigest()
    except (OSError, ValueError):
        pass
    return None


def names_in(file: Path) -> list[str]:
    """Returns the names that a file of Python defines or imports, without running it. Errors: `ConfigError`."""
    try:
        if not file.is_file():
            raise ConfigError(
                f"there is no file {file}; a path in a recipe starts at the recipe's folder, a typed one here."
            )
        if file.stat().st_size > LARGEST_FILE:
            raise ConfigError(f"{file} is larger than {LARGEST_FILE:,} bytes; give a file of Python code.")
        tree = ast.parse(file.read_bytes(), str(file))
    except SyntaxError as error:
        raise ConfigError(f"{file} line {error.lineno} is not Python: {error.msg}.") from None
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"cannot read {file}: {getattr(error, 'strerror', None) or error}.") from None
    found = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.append(node.name)
        elif isinstance(node, ast.Assign):
            found += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found += [name.asname or name.name for name in node.names]
    return found


def installed(group: str, name: str | None = None) -> list[str]:
    """Returns the entry points of installed packages in a group: all, or those of one name."""
    from importlib import metadata

    return sorted({point.name for point in metadata.entry_points(group=group) if name in (None, point.name)})
