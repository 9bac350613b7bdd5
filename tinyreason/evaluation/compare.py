"""`tinyreason compare`: finished runs and evaluations against the first, paired on the problems they share."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from tinyreason.data.files import read_json, read_lines
from tinyreason.errors import FolderError
from tinyreason.evaluation.benchmark_folder import PROBLEMS, RESULT, SETTINGS, read_samples
from tinyreason.evaluation.score import Completion
from tinyreason.inference.model_reference import check_finished, read_run_config
from tinyreason.intervals import paired_gain, share_interval, verdict
from tinyreason.runs.result import EVALUATION, Gain, Interval, Number, Stored

ASKED_ALIKE = ("temperature", "top_p", "max_completion_tokens", "prompt", "template")


@dataclass(frozen=True)
class StoredCompletions:
    """A run or an evaluation read back from its folder: completions by bench and problem."""

    name: str
    benches: dict[str, dict[str, list[Completion]]]
    """Bench → text of the problem → completions; a run has one bench, its held-out problems."""
    sampling: dict[str, Any]

    @property
    def by_problem(self) -> dict[str, list[Completion]]:
        """Text of the problem → completions, all benches."""
        return {problem: row for rows in self.benches.values() for problem, row in rows.items()}


HELD_OUT = "held-out problems"


class ComparisonRow(Stored):
    """How `other` does against `first` on the problems of a bench that both were asked; pairs are [first, other]."""

    first: str
    other: str
    bench: str
    problems: int
    """That both were asked."""
    left_out: list[int]
    """Problems that only one of them was asked."""
    accuracy: list[Number]
    """0–1."""
    interval: list[Interval]
    mean_tokens: list[Number]
    gain: Gain
    verdict: str
    asked_otherwise: list[str]
    """Settings that were not the same."""
    comparisons: int = 1
    """Comparisons on this bench that the verdict allows for."""


def read_completions(folder: Path) -> StoredCompletions:
    """Reads what a run folder holds of the trained model, or an evaluation folder of its first side."""
    if not folder.is_dir():
        raise FolderError(f"there is no folder {folder}; give folders of runs or evaluations.")
    if (folder / SETTINGS).is_file():
        return _evaluation(folder)
    if (folder / "config.yaml").is_file():
        return read_run_side(folder, "after")
    raise FolderError(f"{folder} is neither a run nor an evaluation: it has no config.yaml and no {SETTINGS}.")


def read_run_side(folder: Path, side: str) -> StoredCompletions:
    """Reads the completions of a run `before` or `after` its training."""
    config = read_run_config(folder)
    check_finished(folder)
    try:
        rows = read_json(folder / EVALUATION)[side]
        completions = {identity_of(row): [Completion(**values) for values in row["replies"]] for row in rows}
    except (KeyError, TypeError):
        raise FolderError(f"{folder}/{EVALUATION} does not hold problems with their completions.") from None
    evaluation = config.evaluation
    sampling = {
        "temperature": evaluation.temperature,
        "top_p": 1.0,
        "max_completion_tokens": evaluation.max_completion_tokens,
        "prompt": config.prompt,
        "template": "chat",
    }
    return StoredCompletions(folder.resolve().name, {HELD_OUT: completions}, sampling)


def _evaluation(folder: Path) -> StoredCompletions:
    if not (folder / RESULT).is_file():
        raise FolderError(f"the evaluation {folder} has no {RESULT}: it is still going, or was stopped; resume it.")
    try:
        sampling = read_json(folder / SETTINGS)["sampling"]
        asked = {(row["bench"], row["id"]): identity_of(row) for row in read_lines(folder / PROBLEMS)}
    except (KeyError, TypeError):
        raise FolderError(f"{folder}/{SETTINGS} or {PROBLEMS} is broken.") from None
    benches: dict[str, dict[str, list[Completion]]] = {}
    for (side, bench, id, _), completion in sorted(read_samples(folder).items(), key=lambda item: item[0]):
        if side == "model" and (bench, id) in asked:
            benches.setdefault(bench, {}).setdefault(asked[bench, id], []).append(completion)
    return StoredCompletions(folder.resolve().name, benches, sampling)


def identity_of(row: dict[str, Any]) -> str:
    """Returns what tells a stored problem from others: its whole conversation where it is the last turn of one."""
    return row.get("conversation", row["problem"])


def compare_folders(folders: list[Path]) -> list[ComparisonRow]:
    """Returns one row for each further folder and each bench of the first, on their common problems.

    Errors: `FolderError` for a folder that is not finished, or without a common problem.
    """
    first, *others = [read_completions(folder) for folder in folders]
    rows = []
    for other in others:
        found = [row for bench in first.benches if (row := compare_bench(first, other, bench))]
        if not found:
            raise FolderError(
                f"{first.name} and {other.name} have no problem in common, so they cannot be compared; measure both on "
                f"the same with tinyreason eval … --bench NAME."
            )
        rows += found
    return allowing_for_many(rows)


def allowing_for_many(rows: list[ComparisonRow]) -> list[ComparisonRow]:
    """Returns the rows with verdicts that hold for all of a bench's rows together: the best of many may be luck."""
    counts = Counter(row.bench for row in rows)
    found = []
    for row in rows:
        count = counts[row.bench]
        together = verdict(row.gain.interval, row.gain.p_value, count)
        said = together if row.verdict in ("improved", "worse") else row.verdict
        found.append(row.model_copy(update={"comparisons": count, "verdict": said}))
    return found


def compare_bench(first: StoredCompletions, other: StoredCompletions, bench: str) -> ComparisonRow | None:
    """Returns how `other` does against `first` on a bench; None if they share no problem of it."""
    ours, theirs = first.benches[bench], other.by_problem
    common = [problem for problem in ours if problem in theirs]
    if not common:
        return None
    sides = [[rows[problem] for problem in common] for rows in (ours, theirs)]
    shares = [[mean(one.correct is True for one in row) for row in side] for side in sides]
    return ComparisonRow(
        first=first.name,
        other=other.name,
        bench=bench,
        problems=len(common),
        left_out=[len(ours) - len(common), len(theirs) - len(common)],
        accuracy=[mean(values) for values in shares],
        interval=[share_interval(values) for values in shares],
        mean_tokens=[mean(one.tokens for row in side for one in row) for side in sides],
        **paired_gain(*shares),
        asked_otherwise=asked_otherwise(first, other),
    )


def asked_otherwise(first: StoredCompletions, other: StoredCompletions) -> list[str]:
    """Returns what of the settings was not the same: `temperature 1.0 and 0.6`."""
    pairs = {name: (first.sampling.get(name), other.sampling.get(name)) for name in ASKED_ALIKE}
    return [f"{name} {one} and {two}" for name, (one, two) in pairs.items() if one != two]
