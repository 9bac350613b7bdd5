"""Keeps the answers that were paid for, in a file that only grows."""

import json
import os
import threading
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Self

from tinyreason.atomic import lock, sync, write_text
from tinyreason.errors import DataError, FolderError
from tinyreason.teachers.request import Answer

KEPT = ("request_sha256", "text", "tokens_in", "tokens_out", "cost", "possible_cost")


class ResponseCache(AbstractContextManager):
    """Holds answers by the id of their request.

    `append` hands a line to the kernel at once, so a killed process loses nothing; a thread syncs it to the disk as
    fast as the disk allows, several lines at a time when they arrive faster. A torn last line is taken off when the
    file is opened again. One process at a time may write.
    """

    def __init__(self, path: Path):
        self.path = path
        self._answers: dict[str, Answer] = {}
        self._file: IO[bytes] | None = None
        self._unsynced = threading.Event()
        self._closing = False
        self._fault: OSError | None = None
        self._thread = threading.Thread(target=self._keep_synced, daemon=True)

    def __enter__(self) -> Self:
        try:
            self._file = open(self.path, "a+b")
            lock(self._file)
        except BlockingIOError:
            self._file.close()
            raise FolderError(
                f"another process is writing {self.path}; wait for it, or choose another --out."
            ) from None
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            self._read()
            sync(self.path.parent)
        except BaseException:
            self._file.close()
            raise
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        self._unsynced.set()
        self._thread.join()
        with self._file, suppress(OSError):
            os.fsync(self._file.fileno())

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._answers

    def __getitem__(self, request_id: str) -> Answer:
        return self._answers[request_id]

    def hold(self, answer: Answer) -> None:
        """Keeps an answer only until the cache is closed."""
        self._answers[answer.request_sha256] = answer

    def append(self, answer: Answer) -> None:
        """Writes an answer before it returns, and syncs it soon after."""
        if self._fault:
            raise self._unwritable(self._fault)
        kept = {name: value for name, value in asdict(answer).items() if name in KEPT}
        line = json.dumps(kept, ensure_ascii=True) + "\n"
        try:
            self._file.write(line.encode())
            self._file.flush()
        except OSError as error:
            raise self._unwritable(error) from None
        self.hold(answer)
        self._unsynced.set()

    def _read(self) -> None:
        self._file.seek(0)
        good = 0
        for line in self._file:
            answer = _answer(line)
            if answer:
                self._answers[answer.request_sha256] = answer
            elif answer is None and not good:
                raise DataError(f"{self.path} is not a response cache; move it away, or choose another --out.")
            if line.endswith(b"\n"):
                good += len(line)
            elif answer:
                self._file.write(b"\n")  # whole but for its end
                good += len(line) + 1
        self._file.truncate(good)
        self._file.flush()

    def _keep_synced(self) -> None:
        while not self._closing:
            self._unsynced.wait()
            self._unsynced.clear()
            try:
                os.fsync(self._file.fileno())
            except OSError as error:
                self._fault = error

    def _unwritable(self, error: OSError) -> FolderError:
        return FolderError(f"cannot write {self.path}: {error.strerror or error}; choose another --out.")


def write_rows(path: Path, rows: list[dict]) -> None:
    """Writes a JSONL file, whole or not at all. Errors: `FolderError`."""
    try:
        write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    except OSError as error:
        raise FolderError(f"cannot write {path}: {error.strerror or error}; choose another --out.") from None


def _answer(line: bytes) -> Answer | bool | None:
    """Returns the line's answer; False for a line that was torn, None for one that is something else."""
    try:
        row = json.loads(line)
    except ValueError:
        return False
    is_answer = isinstance(row, dict) and all(isinstance(row.get(name), str) for name in ("request_sha256", "text"))
    return Answer(**{name: row[name] for name in KEPT if name in row}) if is_answer else None
