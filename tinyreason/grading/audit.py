"""Measures the grader itself on labelled completions: how often it accepts what is incorrect, and the reverse."""

from dataclasses import asdict, dataclass
from typing import Any

from tinyreason.errors import DataError, nearest
from tinyreason.grading.answers import gold_text
from tinyreason.grading.grader import Verdict
from tinyreason.grading.values import read_value
from tinyreason.intervals import share_interval

TOTAL = "all"


@dataclass(frozen=True)
class ErrorRate:
    """How many of the completions with one label the grader gets otherwise, with the 95 % interval of that share."""

    errors: int
    rows: int
    interval: list[float] | None

    @property
    def share(self) -> float | None:
        """The errors among the rows."""
        return self.errors / self.rows if self.rows else None

    def as_json(self) -> dict[str, Any]:
        """Returns what `--json` prints of it."""
        return asdict(self) | {"share": self.share}


@dataclass(frozen=True)
class AuditedKind:
    """The grader's errors on one kind of answer."""

    kind: str
    false_positives: ErrorRate
    """Graded correct, and labelled incorrect."""
    false_negatives: ErrorRate
    """Not graded correct, and labelled correct."""


def audit_verdicts(rows: list[dict], verdicts: list[Verdict], label_field: str, answer_field: str) -> list[AuditedKind]:
    """Returns the errors of every kind of answer and of all together.

    The kind is the row's `kind`, else what the gold answer is: number, words, date. A gold answer that cannot be graded
    counts as not graded correct. Errors: `DataError` where a row has no label.
    """
    found: dict[str, list[tuple[bool, bool]]] = {TOTAL: []}
    for number, (row, verdict) in enumerate(zip(rows, verdicts, strict=True), 1):
        label = _label(row, label_field, number)
        kind = row["kind"] if isinstance(row.get("kind"), str) else read_value(gold_text(str(row[answer_field]))).kind
        for name in (kind, TOTAL):
            found.setdefault(name, []).append((label, verdict.correct is True))
    total = found.pop(TOTAL)
    return [audited_kind(kind, found[kind]) for kind in sorted(found)] + [audited_kind(TOTAL, total)]


def audited_kind(kind: str, pairs: list[tuple[bool, bool]]) -> AuditedKind:
    """Returns the errors among pairs (whether a completion is correct, whether it is graded so)."""
    accepted = [float(verdict) for label, verdict in pairs if not label]
    refused = [float(not verdict) for label, verdict in pairs if label]
    return AuditedKind(kind, _rate(accepted), _rate(refused))


def _rate(errors: list[float]) -> ErrorRate:
    return ErrorRate(int(sum(errors)), len(errors), share_interval(errors) if errors else None)


def _label(row: dict, name: str, number: int) -> bool:
    if name not in row:
        raise DataError(f"row {number} has no field '{name}'{nearest(name, row)}; name the column of the labels.")
    label = {"true": True, "false": False, "1": True, "0": False}.get(str(row[name]).strip().lower())
    if label is None:
        raise DataError(f"row {number} holds {row[name]!r:.40} in '{name}'; a label is true or false.")
    return label
