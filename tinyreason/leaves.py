"""A family's leaves by their kind, each imported when it is first asked for: what is not used costs no start-up."""

from collections.abc import Iterable, Iterator, MutableMapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any


class Leaves(MutableMapping[str, Any]):
    """Maps the kinds of a family to their classes, in order; a file of the family's folder defines one."""

    def __init__(self, package: str, kinds: Iterable[str], files: dict[str, str] | None = None):
        self.package, self.files = package, files or {}
        self.found: dict[str, Any] = dict.fromkeys(kinds)

    @classmethod
    def of_folder(cls, package: str, path: Iterable[str], files: dict[str, str] | None = None) -> "Leaves":
        """Takes every module of a folder whose name has no leading underscore; its name is the kind.

        `files`: kind → module, where a word of the standard library is left to that.
        """
        kinds = {file: kind for kind, file in (files or {}).items()}
        names = (one.name for one in iter_modules(path) if not one.ispkg and not one.name.startswith("_"))
        return cls(package, sorted(kinds.get(name, name) for name in names), files)

    def __getitem__(self, kind: str) -> Any:
        leaf = self.found[kind]
        if leaf is None:
            module = import_module(f"{self.package}.{self.files.get(kind, kind)}")
            leaf = self.found[kind] = next(one for one in vars(module).values() if is_leaf(one, kind, module.__name__))
        return leaf

    def __setitem__(self, kind: str, leaf: Any) -> None:
        self.found[kind] = leaf

    def __delitem__(self, kind: str) -> None:
        del self.found[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def __contains__(self, kind: object) -> bool:
        return isinstance(kind, str) and kind in self.found


def is_leaf(one: Any, kind: str, module: str) -> bool:
    """Returns whether it is the class of a kind, defined in this module."""
    fields = getattr(one, "model_fields", None) if isinstance(one, type) else None
    return bool(fields) and one.__module__ == module and "kind" in fields and fields["kind"].default == kind
