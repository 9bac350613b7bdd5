"""Runs of one recipe that differ in their seed, taken together: the gain over problems and seeds.

A single run drifts by a point or two whatever it is rewarded for, and with enough problems its own interval excludes 0
each time; only the runs' difference from each other tells such a drift from a gain.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tinyreason.atomic import write_text
from tinyreason.data.files import read_json
from tinyreason.errors import FolderError
from tinyreason.evaluation.score import Completion, Score, side_summary, token_change
from tinyreason.evaluation.second_opinion import believed_comparison
from tinyreason.runs.result import (
    EVALUATION,
    GRADERS_DISAGREE,
    SEEDS,
    RunResult,
    SeedRow,
    SeedsResult,
    StoredEvaluation,
    TrainingSummary,
    read_result,
)


def seed_folder(out: Path, seed: int) -> Path:
    """Returns the run folder of a seed in the folder of several."""
    return out / f"seed{seed}"


def write_seeds_result(out: Path, asked: Sequence[int], done: Sequence[int], command: str) -> SeedsResult:
    """Writes seeds.json: the result over the seeds that are done, of those that were asked for."""
    folders = [seed_folder(out, seed) for seed in done]
    rows = [seed_row(seed, folder) for seed, folder in zip(done, folders, strict=True)]
    together = result_over_seeds(folders).as_json() | {"command": command, "seed": None}
    result = SeedsResult.model_validate(together | {"asked": list(asked), "runs": [row.as_json() for row in rows]})
    write_text(out / SEEDS, json.dumps(result.as_json(), indent=1, ensure_ascii=False) + "\n")
    return result


def seed_row(seed: int, folder: Path) -> SeedRow:
    """Returns what the table over seeds holds of one run."""
    result = read_result(folder)
    return SeedRow(
        seed=seed,
        folder=folder.name,
        before=result.before.accuracy,
        after=result.after.accuracy,
        gain=result.gain,
        verdict=result.verdict,
    )


def result_over_seeds(folders: Sequence[Path]) -> RunResult:
    """Returns one result over finished runs that differ in their seed alone; of a single run it is its own."""
    results = [read_result(folder) for folder in folders]
    first = results[0]
    if len(results) == 1:
        return first
    before, after = ([read_score(folder, side) for folder in folders] for side in ("before", "after"))
    base = [read_score(folder, "base") for folder in folders] if first.base else []
    found, met = believed_comparison(before, after), [result.meets_expectation for result in results]
    kept = ("recipe", "tier", "model", "adapter", "asked_problems", "available_problems", "expected")
    return RunResult(
        **{name: getattr(first, name) for name in kept},
        **({"base": side_summary(base)} if base else {}),
        before=side_summary(before),
        after=side_summary(after),
        **found | verdict_of_all(results, found["verdict"]),
        tokens=token_change(before, after),
        training=TrainingSummary(problems=first.training.problems, steps=first.training.steps),
        seconds={part: sum(result.seconds.get(part, 0) for result in results) for part in first.seconds},
        peak_memory_gb=max(result.peak_memory_gb or 0 for result in results),
        meets_expectation=None if None in met else all(met),
        **changes_of_all(results),
    )


def changes_of_all(results: Sequence[RunResult]) -> dict[str, Any]:
    """Returns that the seeds are not bit-exact, and what was other for which; nothing where all are."""
    changes = [f"seed {result.seed}: {change}" for result in results for change in result.changes]
    return {"bit_exact": False, "changes": changes} if any(one.bit_exact is False for one in results) else {}


def verdict_of_all(results: Sequence[RunResult], verdict: str) -> dict[str, Any]:
    """Returns the verdict over all: no gain where training taught one seed nothing, or the graders disagree on one."""
    for result in results:
        if result.verdict_reason:
            return {"verdict": "cannot tell", "verdict_reason": f"seed {result.seed}: {result.verdict_reason}"}
    if any(result.verdict == GRADERS_DISAGREE for result in results):
        return {"verdict": GRADERS_DISAGREE}
    return {"verdict": verdict}


def read_score(folder: Path, side: str) -> Score:
    """Reads a side of a finished run's evaluation as the score that it was written from. Errors: `FolderError`."""
    try:
        stored = StoredEvaluation.model_validate(read_json(folder / EVALUATION))
    except ValidationError:
        raise FolderError(f"{folder / EVALUATION} does not hold problems with their completions.") from None
    problems = getattr(stored, side)
    examples = [problem.example for problem in problems]
    completions = [
        [Completion(one.text, one.tokens or 0, one.truncated, one.correct) for one in problem.completions]
        for problem in problems
    ]
    return Score(examples, completions)
