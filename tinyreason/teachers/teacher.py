"""Holds what every teacher can do."""

from typing import Any, ClassVar

from tinyreason.schema import Schema
from tinyreason.teachers.request import Work


class Teacher(Schema):
    """Answers requests."""

    reads_instructions: ClassVar[bool] = False
    """Whether a sandbox problem too is put to it in plain words, not as the sandbox puts it."""
    is_free: ClassVar[bool] = False
    """Whether to ask it again costs nothing, so that its answers need no response cache."""
    may_cost_money: ClassVar[bool] = False
    """Whether its owner may send a bill for what it answers."""
    decides: ClassVar[tuple[str, ...]] = ()
    """Options that change what it says; requests that differ in others are the same request."""

    @property
    def settings(self) -> dict[str, Any]:
        """Returns what tells its answers from another teacher's."""
        return {"kind": self.kind} | {name: getattr(self, name) for name in self.decides}

    @property
    def title(self) -> str:
        """Returns the model's name, for the provenance of a row."""
        return getattr(self, "model", self.kind)

    def check_ready(self) -> None:
        """Refuses, in one sentence, what can be seen to be wrong before any work."""

    def answer(self, work: Work) -> None:
        """Delivers an answer to every request, as each arrives."""
        raise NotImplementedError
