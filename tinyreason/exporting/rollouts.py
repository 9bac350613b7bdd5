"""Writes what a run has sampled for others to train on: a row for each completion, in the columns that TRL reads."""

import json
from pathlib import Path
from typing import Any, Literal

from tinyreason.atomic import write_text
from tinyreason.data.files import Row
from tinyreason.data.rollout_rows import read_rollouts
from tinyreason.errors import DataError, DiskError, FolderError
from tinyreason.exporting.private import without_paths

Format = Literal["completions", "messages"]
FACTS = ("correct", "reward", "tokens", "truncated", "step", "source", "mu_logp", "answer")
"""What is told of a completion beside its problem; rewards apart may carry names of a person's own code."""


def export_rollouts(run: Path, out: Path, form: Format, only_correct: bool) -> dict[str, Any]:
    """Writes the rollouts of a run or stage as .jsonl; returns the counts of what was written, and of what was not.

    Errors: `FolderError` where there are none or `out` is there, `DataError` where nothing is left or the prompts are
    conversations and `form` has no place for them, `DiskError`.
    """
    rows, broken = read_rollouts(run)
    if out.exists():
        raise FolderError(f"{out} is there already, and is not overwritten; choose another --out.")
    if form == "completions" and any("messages" in row for row in rows):
        raise DataError(f"prompts of {run} are conversations of several turns; type --format messages.")
    whole = [row for row in rows if all(isinstance(row.get(name), str) for name in ("prompt", "completion"))]
    kept = [row for row in whole if row.get("correct") is True or not only_correct]
    left_out = {
        "lines that cannot be read": len(broken),
        "without a prompt and a completion": len(rows) - len(whole),
        "not correct": len(whole) - len(kept),
    }
    if not kept:
        raise DataError(f"none of the {len(rows):,} rollouts of {run} is correct; leave --correct out.")
    text = "".join(json.dumps(as_given(row, form), ensure_ascii=False) + "\n" for row in kept)
    try:
        write_text(out, text)
    except OSError as error:
        raise DiskError(f"cannot write {out}: {error.strerror or error}.") from None
    return {
        "file": str(out),
        "rows": len(kept),
        "problems": len({row.get("problem_id", row["prompt"]) for row in kept}),
        "correct": sum(row.get("correct") is True for row in kept),
        "left_out": {why: count for why, count in left_out.items() if count},
    }


def as_given(row: Row, form: Format) -> Row:
    """Returns a rollout as it is given to others: no path of this machine, no name of a person's own code."""
    facts = {name: row[name] for name in FACTS if name in row} | {"problem_id": without_paths(row.get("problem_id"))}
    if form == "completions":
        return {"prompt": row["prompt"], "completion": row["completion"]} | facts
    asked = row.get("messages") or [{"role": "user", "content": row["prompt"]}]
    return {"messages": [*asked, {"role": "assistant", "content": row["completion"]}]} | facts
