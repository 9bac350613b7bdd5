"""A .jsonl that grows while it is read: each look at it reads only the whole lines that came since the one before."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REMEMBERED_BYTES = 256
"""Of the end of what was read, to see whether the file was truncated and grew again."""


class GrowingRows:
    """The rows of a file, read on from where the last look ended; a line without its end is still being written."""

    def __init__(self, file: Path):
        self.file = file
        self.restart()

    def restart(self) -> None:
        """Forgets what was read."""
        self.at, self.broken, self._end = 0, 0, b""

    @property
    def is_another(self) -> bool:
        """Whether what was read is in the file no more: it was rolled back, or begun anew."""
        if not self.at:
            return False
        try:
            with open(self.file, "rb") as file:
                file.seek(self.at - len(self._end))
                return file.read(len(self._end)) != self._end
        except OSError:
            return True

    def new(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yields (first byte, object) of each further line; counts in `broken` those that are not an object."""
        try:
            file = open(self.file, "rb")  # noqa: SIM115 - closed below
        except OSError:
            return
        with file:
            file.seek(self.at)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                start, self.at = self.at, self.at + len(line)
                self._end = (self._end + line)[-REMEMBERED_BYTES:]
                row = read_row(line)
                if row is not None:
                    yield start, row
                elif line.strip():
                    self.broken += 1


def read_row(line: bytes) -> dict[str, Any] | None:
    """Returns the JSON object of a line; None where it is none."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None
