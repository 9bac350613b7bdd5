"""Looks up answers that are already written."""

from pathlib import Path
from typing import Any, ClassVar, Literal

from tinyreason.data import read_rows
from tinyreason.data.columns import first_text
from tinyreason.errors import DataError
from tinyreason.teachers.request import Answer, Request, Work
from tinyreason.teachers.teacher import Teacher

TEXT_COLUMNS = ("critique", "solution", "completion", "text")


class File(Teacher):
    """Looks the answers up in a .jsonl, .json, .parquet or .csv file.

    A row holds the answer in `critique`, `solution`, `completion` or `text`, and says what it answers: by
    `request_sha256`, by `problem_id` and `attempt`, or, for a solution, by `problem_id`. Files that this builder wrote
    can be read again.

    Why: for critiques that people wrote, or that came from a batch run of an API.

    Reward hacking: a file that was filtered by its author says nothing about how often its teacher is correct.

    Example: `teacher: {kind: file, file: critiques.jsonl}`.
    """

    kind: Literal["file"] = "file"
    is_free: ClassVar[bool] = True
    file: Path
    """File with the answers."""

    @property
    def title(self) -> str:
        return self.file.name

    def check_ready(self) -> None:
        self._texts()

    def answer(self, work: Work) -> None:
        texts = self._texts()
        for request in work.requests:
            text = next((texts[key] for key in _keys(request) if key in texts), None)
            work.deliver(
                Answer(request.id, text, cost=0.0, fault="" if text else f"{self.file.name} has no answer to it")
            )

    def _texts(self) -> dict[Any, str]:
        texts: dict[Any, str] = {}
        for number, row in enumerate(read_rows(self.file), 1):
            text = first_text(row, TEXT_COLUMNS)
            key = row.get("request_sha256") or (row.get("problem_id") and _key(row["problem_id"], row.get("attempt")))
            if text is None or not key:
                raise DataError(
                    f"{self.file} row {number} is not an answer; it needs '{TEXT_COLUMNS[0]}' (or "
                    f"{', '.join(TEXT_COLUMNS[1:])}) and 'request_sha256', or 'problem_id' and 'attempt'."
                )
            texts.setdefault(key, text)
        return texts


def _keys(request: Request) -> tuple:
    attempt = request.attempt
    return request.id, _key(request.example.id, attempt and attempt.text)


def _key(problem_id: Any, attempt: Any) -> tuple[str, str]:
    return str(problem_id), str(attempt or "").strip()
