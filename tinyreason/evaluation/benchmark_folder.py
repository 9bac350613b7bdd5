"""The folder of an evaluation: completions appended as they come, so that the same command resumes where it stopped."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tinyreason.atomic import write_text
from tinyreason.data.files import read_json, read_lines
from tinyreason.errors import FolderError
from tinyreason.evaluation.score import Completion, Score, beyond_text, groups_of
from tinyreason.example import Example

SETTINGS, PROBLEMS, SAMPLES, RESULT = "settings.json", "problems.jsonl", "samples.jsonl", "eval.json"
FREE = ("samples", "batch_size", "keeps_certainty", "server")
"""Settings that may differ when an evaluation is resumed: they change no completion."""
Key = tuple[str, str, str, int]
"""Side, bench, problem id, sample."""


class EvalFolder:
    """`settings.json`, `problems.jsonl`, `samples.jsonl` (one line per completion) and, at the end, `eval.json`."""

    def __init__(self, path: Path, settings: dict[str, Any], benches: dict[str, list[Example]]):
        self.path, self.benches = path, benches
        self.completions: dict[Key, Completion] = {}
        try:
            if path.exists() and (not path.is_dir() or any(path.iterdir())):
                self._resume(settings)
            path.mkdir(parents=True, exist_ok=True)
            self.write_json(SETTINGS, settings)
            rows = [problem_row(bench, example) for bench, examples in benches.items() for example in examples]
            write_text(path / PROBLEMS, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        except FolderError:
            raise
        except OSError as error:
            raise FolderError(f"cannot write into {path}: {error.strerror or error}; choose another --out.") from None

    def _resume(self, settings: dict[str, Any]) -> None:
        if not (self.path / SETTINGS).is_file():
            raise FolderError(f"{self.path} is not an evaluation and not empty; choose another folder with --out.")
        before = read_json(self.path / SETTINGS)
        for path, old, new in differing_settings(before, json.loads(json.dumps(settings))):
            if path.rpartition(".")[2] not in FREE:
                raise FolderError(
                    f"{self.path} was begun with another {path}: {old!r:.60} there, {new!r:.60} now; choose another "
                    f"folder with --out, or remove it."
                )
        self.completions = read_samples(self.path, mend=True)

    def missing(self, side: str, samples: int) -> list[tuple[str, Example, int]]:
        """Returns (bench, problem, sample) of the completions that are not there yet."""
        return [
            (bench, example, sample)
            for bench, examples in self.benches.items()
            for example in examples
            for sample in range(samples)
            if (side, bench, example.id, sample) not in self.completions
        ]

    def check_certainty(self, is_needed: bool) -> None:
        """Checks that the completions that are there say how certain the model was. Errors: `FolderError`."""
        if is_needed and any(completion.certainty is None for completion in self.completions.values()):
            raise FolderError(
                f"the completions in {self.path} were sampled without the certainty that --vote needs; choose another "
                f"folder with --out."
            )

    def append(self, completions: Iterable[tuple[Key, Completion]]) -> None:
        """Adds lines to samples.jsonl, in one write."""
        lines = []
        for key, completion in completions:
            self.completions[key] = completion
            side, bench, id, sample = key
            row = {"side": side, "bench": bench, "id": id, "sample": sample, **completion.as_json()}
            lines.append(json.dumps(row, ensure_ascii=False) + "\n")
        with open(self.path / SAMPLES, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write("".join(lines))

    def score(self, side: str, bench: str, samples: int) -> Score:
        """Returns the completions of one side to one bench."""
        examples = self.benches[bench]
        rows = [[self.completions[side, bench, one.id, sample] for sample in range(samples)] for one in examples]
        return Score(examples, rows)

    def write_json(self, name: str, value: Any) -> None:
        """Writes the file whole or not at all."""
        write_text(self.path / name, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def problem_row(bench: str, example: Example) -> dict[str, Any]:
    """Returns a line of problems.jsonl."""
    row = {"bench": bench, "id": example.id, "problem": example.problem, "answer": example.answer}
    return row | beyond_text(example) | {"groups": groups_of(example)}


def read_samples(folder: Path, mend: bool = False) -> dict[Key, Completion]:
    """Reads every completion of samples.jsonl; with `mend`, a last line that a killed process left half is removed."""
    path = folder / SAMPLES
    if not path.is_file() or not path.stat().st_size:
        return {}
    if mend:
        whole = path.read_bytes().rpartition(b"\n")
        os.truncate(path, len(whole[0]) + len(whole[1]))
    if not path.stat().st_size:
        return {}
    found = {}
    for number, row in enumerate(read_lines(path), 1):
        try:
            key = tuple(row.pop(name) for name in ("side", "bench", "id", "sample"))
            found[key] = Completion(**row)
        except (KeyError, TypeError):
            raise FolderError(f"{path} line {number} is not a completion of an evaluation.") from None
    return found


def differing_settings(before: Any, now: Any, path: str = "") -> Iterable[tuple[str, Any, Any]]:
    """Yields (path, before, now) of what differs between two JSON values."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in before | now:
            yield from differing_settings(before.get(key), now.get(key), f"{path}.{key}" if path else key)
    elif before != now:
        yield path, before, now
