"""Holds what every method of the person's own shares in a config: where its code is, its options, its time limit."""

from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from tinyreason.own_code.reference import (
    ALLOWED,
    CodeReference,
    installed,
    is_file_kind,
    read_sha256,
    split_kind,
)
from tinyreason.schema import Schema


class OwnLeaf(Schema):
    """A method whose code is in a file of the person's, or in an installed package; the config never runs it."""

    group: ClassVar[str] = ""
    """Entry points among which a package's is, as `tinyreason.rewards`."""

    kind: str
    """File and function or class, as `./my_reward.py:reward`, or the name that an installed package gave it."""
    code: Path | None = None
    """The file, taken from the kind; null = of an installed package."""
    code_sha256: str | None = None
    """SHA-256 of the file, taken from it; another file is refused."""
    options: dict[str, Any] = {}
    """What it is given by name: all keys beside its kind that are not options of ours."""
    time_limit_s: float = Field(10.0, gt=0)
    """Seconds that a call may take; then its process is ended, and the run with it."""

    @classmethod
    def is_meant(cls, values: Any, known: dict[str, type]) -> bool:
        """Returns whether a config section names code of the person's or of a package, and no kind that is known."""
        if not isinstance(values, dict):
            return isinstance(values, OwnLeaf)
        kind = values.get("kind")
        if not isinstance(kind, str) or kind in known:
            return False
        return is_file_kind(kind) or bool(installed(cls.group, kind))

    @model_validator(mode="before")
    @classmethod
    def kind_names_a_file(cls, values: Any) -> Any:
        """Takes the file out of the kind, and gathers all keys that are not options of ours."""
        if not isinstance(values, dict) or not isinstance(values.get("options", {}), dict):
            return values
        ours = {key: value for key, value in values.items() if key in cls.model_fields}
        kind = ours.get("kind")
        if "code" not in ours and is_file_kind(kind):
            file, name = split_kind(kind)
            if not name.isidentifier():
                raise ValueError(f"kind={kind} names no function or class of the file; type kind={file}:NAME")
            ours |= {"kind": f"{file.name}:{name}", "code": file}
        if isinstance(code := ours.get("code"), str | Path) and ours.get("code_sha256") is None:
            ours["code_sha256"] = read_sha256(Path(code))
        others = {key: value for key, value in values.items() if key not in cls.model_fields}
        return ours | {"options": ours.get("options", {}) | others}

    @property
    def reference(self) -> CodeReference:
        """Where its code is."""
        return CodeReference(self.kind, self.group, self.code, self.code_sha256)

    @property
    def is_allowed(self) -> bool:
        """Whether it may run: it is of an installed package, or the person has let its file run."""
        return self.code is None or self.code_sha256 in ALLOWED

    def allow(self) -> Self:
        """Lets its file run, as it is now."""
        if self.code_sha256:
            ALLOWED.add(self.code_sha256)
        return self

    def process(self):
        """Returns the process that runs it. Errors: `ConfigError` where it is not allowed, or cannot be loaded."""
        from tinyreason.own_code.process import process_of

        return process_of(self.reference, self.options, self.time_limit_s)
