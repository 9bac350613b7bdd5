"""Counts the rows of a set that cannot be used, so that one line says what was left out; or refuses the first."""

from dataclasses import dataclass, field

from tinyreason.errors import DataError

NAMED_IDS = 5


@dataclass
class Dropped:
    """Counts the rows that are left out, by what they lack."""

    origin: str
    is_strict: bool = False
    needs_answers: bool = True
    """Whether a row without an answer, or a set without a column of them, is of no use."""
    ids: dict[str, list[str]] = field(default_factory=dict)
    """What is lacking → the ids of the rows that lack it."""
    first: str = ""
    """The sentence on the first of them."""

    def add(self, what: str, id: str, sentence: str) -> None:
        """Counts a row. Errors: `DataError` where no row may be left out."""
        if self.is_strict:
            raise DataError(sentence)
        self.leave_out(what, id, sentence)

    def leave_out(self, what: str, id: str, sentence: str) -> None:
        """Counts a row that is as it should be, and not wanted."""
        self.first = self.first or sentence
        self.ids.setdefault(what, []).append(id)

    def __str__(self) -> str:
        counts = []
        for what, ids in self.ids.items():
            named = ", ".join(ids[:NAMED_IDS]) + (", …" if len(ids) > NAMED_IDS else "")
            counts.append(f"{len(ids)} without {'an' if what[0] in 'aeiou' else 'a'} {what} (id {named})")
        return f"{self.origin}: left out {', '.join(counts)}" if counts else ""
