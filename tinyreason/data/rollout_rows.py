"""Reads stored completions: the lines of a rollouts.jsonl, or rows of any set that says which are correct."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tinyreason.data.columns import value_at
from tinyreason.data.files import Row
from tinyreason.errors import FolderError

ROLLOUTS = "rollouts.jsonl"


def rollouts_file(folder: Path) -> Path:
    """Returns the rollouts.jsonl of a run or stage. Errors: `FolderError`, with the stages that have one."""
    file = Path(folder).expanduser() / ROLLOUTS
    if file.is_file():
        return file
    stages = sorted(
        place.parent.relative_to(file.parent).as_posix() for place in file.parent.glob(f"stages/*/{ROLLOUTS}")
    )
    there = f"its stages have: {', '.join(stages)}" if stages else "give the folder of a run, as in runs/NAME"
    raise FolderError(f"{folder} has no {ROLLOUTS}; {there}.")


def read_rollouts(folder: Path) -> tuple[list[Row], list[int]]:
    """Returns the rollouts of a run or stage, and the numbers of lines that cannot be read, as a killed run's last."""
    rows, broken = [], []
    for number, line in enumerate(rollouts_file(folder).read_bytes().split(b"\n"), 1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            rows.append(row)
        elif line.strip():
            broken.append(number)
    return rows, broken


def apart(rows: list[Row], completions: str | None, verdicts: tuple[str, ...]) -> Iterator[Row]:
    """Yields the rows, one with lists of completions and of their verdicts as a row for each completion.

    Rows of one problem have its id, `uuid` or place as `problem_id`.
    """
    for place, row in enumerate(rows):
        texts = value_at(row, completions) if completions else None
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            yield row
            continue
        known = {"problem_id": str(row.get("problem_id") or row.get("id") or row.get("uuid") or place)}
        listed = {name: value_at(row, name) for name in verdicts}
        for number, text in enumerate(texts):
            own = {name: item(values, number) for name, values in listed.items()}
            yield row | known | own | {completions: text, "sample": number}


def item(values: Any, number: int) -> Any:
    """Returns one value of a list; None where it has not so many."""
    return values[number] if isinstance(values, list) and number < len(values) else None


def told_correct(row: Row, columns: tuple[str, ...], above: float) -> bool | None:
    """Returns whether a completion is correct: as all columns say, or where they say nothing by its `reward`.

    None where they disagree or are empty and there is no reward.
    """
    told = [as_bool(value_at(row, name)) for name in columns]
    if any(one is not None for one in told):
        return told[0] if len(set(told)) == 1 else None
    reward = row.get("reward")
    return reward > above if isinstance(reward, int | float) and reward == reward else None


def as_bool(value: Any) -> bool | None:
    """Returns the truth that a value is, or as 0 or 1 stands for; None for anything else."""
    return bool(value) if isinstance(value, bool | int | float) and value in (0, 1) else None
