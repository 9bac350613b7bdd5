"""Holds what every grader answers. What a completion says is data: it is read, never run."""

from typing import ClassVar

from tinyreason.schema import Schema

BAD_GOLD = "gold answer cannot be parsed"

Graded = tuple[bool, str]
"""(Whether the answer is correct, a note such as why it cannot be read)."""


class Rule(Schema):
    """Decides whether one answer is correct; its options are what it must know of the problem."""

    runs_foreign_code: ClassVar[bool] = False
    """Whether it may hang or die, so that it is asked in a worker process only."""

    def check_installed(self) -> None:
        """Raises `DataError` where a package that it needs is not installed."""

    def prepare(self) -> None:
        """Loads what it needs, before the time limit of an answer runs."""

    def reads(self, gold: str) -> bool:
        """Returns whether this gold answer can be graded: it has to be correct by its own rule."""
        return self.grade(gold, gold)[0]

    def grade(self, gold: str, answer: str) -> Graded:
        """Returns whether an answer, as it stands in its mark, is correct."""
        raise NotImplementedError

    def find(self, prose: str) -> str:
        """Returns the answer in a text that marks none; nothing where an answer has to be marked."""
        return ""
