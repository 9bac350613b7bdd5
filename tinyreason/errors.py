"""Names what can go wrong through the person's input: one sentence each, shown without a traceback, exit code 2.

TinyReasonError
├── ConfigError   (a recipe, an option, a tier)
├── DataError     (a data file, a column, a gold answer)
│   └── NoAnswers (where one is needed)
├── ModelError    (a model folder, a tokenizer, the hub)
├── FolderError   (where a run is to be written)
│   └── DiskError (that is full, read-only or gone by now)
├── ResumeError   (a run that cannot be continued as it is asked for)
├── MemoryLimit   (a card that cannot hold even one row)
├── NotFinite     (a loss, gradient or logits that are nan or infinite)
├── TeacherError  (a key, an endpoint, an answer that cannot be used)
├── ServerError   (a server that samples: its address, its model, its answers)
└── CostLimit     (--max-cost is reached; exit code 3)

KeyboardInterrupt
└── Stopped       (a deadline, SIGTERM, Ctrl-C; exit code 3)
"""

from collections.abc import Iterable


class TinyReasonError(Exception):
    """Says in its message what was given, what is allowed and what to type, on one line."""

    def __str__(self) -> str:
        return " ".join(super().__str__().split())


class ConfigError(TinyReasonError, ValueError):
    """A recipe, option, kind or tier that cannot be."""


class DataError(TinyReasonError, ValueError):
    """Data that is missing, malformed or cannot be graded."""


class NoAnswers(DataError):
    """Problems without a gold answer, where one is needed."""


class ModelError(TinyReasonError, OSError):
    """A model or tokenizer that cannot be loaded."""


class FolderError(TinyReasonError, OSError):
    """A run folder that cannot be written or read."""


class FolderBusy(FolderError):
    """Another process is running in the folder."""


class DiskError(FolderError):
    """A run folder that could be written, and cannot any more."""


class ResumeError(TinyReasonError, ValueError):
    """A run that was begun with another config, base, data or code."""


class MemoryLimit(TinyReasonError, RuntimeError):
    """Out of memory, and nothing left to make smaller."""


class NotFinite(TinyReasonError, ArithmeticError):
    """A loss, a gradient or logits that are nan or infinite."""

    has_finite_loss = False
    """Whether the weights that the step began with gave a finite loss."""


class TeacherError(TinyReasonError, RuntimeError):
    """A teacher that cannot be reached, refuses, or answers what cannot be used."""


class ServerError(TinyReasonError, RuntimeError):
    """A server that is to sample and is not there, serves something else, or answers what cannot be used."""


class CostLimit(TinyReasonError):
    """The next request might cost more than --max-cost allows."""


class Stopped(KeyboardInterrupt):
    """The run was asked to end before its time, and what it had is saved. No library takes it for an error."""


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Returns `; did you mean 'x'?` if an allowed word is near, then the whole choice."""
    import difflib

    choice = sorted(allowed)
    close = difflib.get_close_matches(word, choice, n=3, cutoff=0.6)
    close.sort(key=lambda other: sorted(other) != sorted(word))  # swapped letters before a missing one
    hint = f"; did you mean '{close[0]}'? Allowed:" if close else "; allowed:"
    return f"{hint} {', '.join(choice)}"
