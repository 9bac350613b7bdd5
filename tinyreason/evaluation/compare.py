"""`tinyreason compare`: finished runs and evaluations against the first, paired by problem and by seed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tinyreason.data.files import read_json, read_lines
from tinyreason.errors import ConfigError, FolderError
from tinyreason.evaluation.benchmark_folder import PROBLEMS, RESULT, SETTINGS, read_samples
from tinyreason.evaluation.score import Completion, Score, side_summary
from tinyreason.evaluation.second_opinion import believed_comparison
from tinyreason.evaluation.template_check import form_alone
from tinyreason.example import Example
from tinyreason.inference.model_reference import check_finished, read_run_config
from tinyreason.intervals import verdict
from tinyreason.runs.result import (
    EVALUATION,
    Gain,
    Interval,
    Number,
    Stored,
    TemplateCheck,
    read_seeds_result,
)
from tinyreason.runs.result_in_words import template_check_in_words

ASKED_ALIKE = ("temperature", "top_p", "max_completion_tokens", "prompt", "template", "template_options")


@dataclass(frozen=True)
class StoredCompletions:
    """A run or an evaluation read back from its folder: completions by bench and problem."""

    name: str
    benches: dict[str, dict[str, list[Completion]]]
    """Bench → text of the problem → completions; a run has one bench, its held-out problems."""
    answers: dict[str, str]
    """Text of the problem → gold answer."""
    sampling: dict[str, Any]
    checks: dict[str, tuple[TemplateCheck, list[str]]] = field(default_factory=dict)
    """Of a base without an adapter: bench → how it does when asked otherwise, and the problems, in order."""

    @property
    def by_problem(self) -> dict[str, list[Completion]]:
        """Text of the problem → completions, all benches."""
        return {problem: row for rows in self.benches.values() for problem, row in rows.items()}

    def score(self, problems: Sequence[str]) -> Score:
        """Returns the score on these problems."""
        rows = self.by_problem
        examples = [Example(one, ({"role": "user", "content": one},), self.answers.get(one, "")) for one in problems]
        return Score(examples, [rows[problem] for problem in problems])


Seeds = dict[int | None, StoredCompletions]
"""Seed → what its run holds; one of seed None where the folder is of a single run or evaluation."""
HELD_OUT = "held-out problems"


class ComparisonRow(Stored):
    """How `other` does against `first` on the problems of a bench that both were asked; pairs are [first, other]."""

    first: str
    other: str
    bench: str
    problems: int
    """That both were asked."""
    seeds: int
    """Pairs of runs; the intervals have both problems and seeds in them from two on."""
    left_out: list[int]
    """Problems that only one of them was asked."""
    accuracy: list[Number]
    """0–1."""
    interval: list[Interval]
    mean_tokens: list[Number]
    gain: Gain
    verdict: str
    verdict_reason: str | None = None
    """Why nothing can be told, where it is not the interval that includes 0."""
    asked_otherwise: list[str]
    """Settings that were not the same."""
    comparisons: int = 1
    """Comparisons on this bench that the verdict allows for."""


def read_completions(folder: Path) -> Seeds:
    """Reads what a run folder holds of the trained model, of every seed if it is of several, or an evaluation folder.

    An evaluation's is its first side. Errors: `FolderError`.
    """
    if not folder.is_dir():
        raise FolderError(f"there is no folder {folder}; give folders of runs or evaluations.")
    if (folder / SETTINGS).is_file():
        return {None: _evaluation(folder)}
    if (folder / "config.yaml").is_file():
        return {None: read_run_side(folder, "after")}
    if (seeds := read_seeds_result(folder)) is None:
        raise FolderError(f"{folder} is neither a run nor an evaluation: it has no config.yaml and no {SETTINGS}.")
    if not seeds.is_whole:
        done, asked = (", ".join(map(str, those)) for those in ([row.seed for row in seeds.runs], seeds.asked))
        raise FolderError(f"{folder} has the seeds {done} of {asked}; wait for the others, or resume it.")
    return {row.seed: read_run_side(folder / row.folder, "after") for row in seeds.runs}


def read_run_side(folder: Path, side: str) -> StoredCompletions:
    """Reads the completions of a run `before` or `after` its training."""
    config = read_run_config(folder)
    check_finished(folder)
    try:
        rows = read_json(folder / EVALUATION)[side]
        completions = {identity_of(row): [Completion(**values) for values in row["replies"]] for row in rows}
        answers = {identity_of(row): row["answer"] for row in rows}
    except (KeyError, TypeError):
        raise FolderError(f"{folder}/{EVALUATION} does not hold problems with their completions.") from None
    evaluation = config.evaluation
    sampling = {
        "temperature": evaluation.temperature,
        "top_p": 1.0,
        "max_completion_tokens": evaluation.max_completion_tokens,
        "prompt": config.prompt,
        "template": "chat",
        "template_options": config.template_options,
    }
    return StoredCompletions(folder.resolve().name, {HELD_OUT: completions}, answers, sampling)


def _evaluation(folder: Path) -> StoredCompletions:
    if not (folder / RESULT).is_file():
        raise FolderError(f"the evaluation {folder} has no {RESULT}: it is still going, or was stopped; resume it.")
    try:
        sampling = {"template_options": {}} | read_json(folder / SETTINGS)["sampling"]
        rows = list(read_lines(folder / PROBLEMS))
        asked = {(row["bench"], row["id"]): identity_of(row) for row in rows}
        answers = {identity_of(row): row["answer"] for row in rows}
    except (KeyError, TypeError):
        raise FolderError(f"{folder}/{SETTINGS} or {PROBLEMS} is broken.") from None
    benches: dict[str, dict[str, list[Completion]]] = {}
    for (side, bench, id, _), completion in sorted(read_samples(folder).items(), key=lambda item: item[0]):
        if side == "model" and (bench, id) in asked:
            benches.setdefault(bench, {}).setdefault(asked[bench, id], []).append(completion)
    checks = {
        bench: (check, [problem for (of, _), problem in asked.items() if of == bench])
        for bench, check in _checks_of_base(folder).items()
    }
    return StoredCompletions(folder.resolve().name, benches, answers, sampling, checks)


def _checks_of_base(folder: Path) -> dict[str, TemplateCheck]:
    """Returns bench → how the model of an evaluation does when asked otherwise; of two models it is the second's."""
    found = read_json(folder / RESULT)
    try:
        checks = {bench: scores.get("template_check") for bench, scores in found.get("benches", {}).items()}
        checks = {bench: TemplateCheck.model_validate(check) for bench, check in checks.items() if check}
        return {} if "against" in found.get("sides", {}) else checks
    except (AttributeError, ValidationError):
        raise FolderError(f"{folder}/{RESULT} is broken.") from None


def identity_of(row: dict[str, Any]) -> str:
    """Returns what tells a stored problem from others: its whole conversation where it is the last turn of one."""
    return row.get("conversation", row["problem"])


def compare_folders(folders: list[Path]) -> list[ComparisonRow]:
    """Returns one row for each further folder and each bench of the first, on their common problems.

    Errors: `ConfigError` for one folder alone; `FolderError` for a folder that is not finished, or without a common
    problem or seed.
    """
    if len(folders) < 2:
        raise ConfigError("one folder is not a comparison; give two or more, the others are compared with the first.")
    (first, ours), *others = [(folder.resolve().name, read_completions(folder)) for folder in folders]
    rows = []
    for other, theirs in others:
        pairs = paired_by_seed(first, ours, other, theirs)
        found = [row for bench in pairs[0][0].benches if (row := compare_bench(first, other, pairs, bench))]
        if not found:
            raise FolderError(
                f"{first} and {other} have no problem in common, so they cannot be compared; measure both on "
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


Pairs = list[tuple[StoredCompletions, StoredCompletions]]


def paired_by_seed(first: str, ours: Seeds, other: str, theirs: Seeds) -> Pairs:
    """Returns the pairs of what is compared: of the same seed, or where one side has no seeds, with all of the other.

    Errors: `FolderError` where both have seeds, and none in common.
    """
    if len(ours) == 1 or len(theirs) == 1:
        return [(one, another) for one in ours.values() for another in theirs.values()]
    common = [seed for seed in ours if seed in theirs]
    if not common:
        raise FolderError(f"{first} and {other} have no seed in common; run both with the same --seeds.")
    return [(ours[seed], theirs[seed]) for seed in common]


def compare_bench(first: str, other: str, pairs: Pairs, bench: str) -> ComparisonRow | None:
    """Returns how `other` does against `first` on a bench; None if they share no problem of it."""
    scores: list[tuple[Score, Score]] = []
    reasons: dict[str, str | None] = {}
    problems: list[set[str]] = [set(), set()]
    for one, another in pairs:
        ours, theirs = one.benches[bench], another.by_problem
        common = [problem for problem in ours if problem in theirs]
        if common:
            scores.append((one.score(common), another.score(common)))
            for said, base, trained in (("improved", one, another), ("worse", another, one)):
                reasons[said] = reasons.get(said) or form_alone_between(base, trained, common)
        problems[0] |= ours.keys()
        problems[1] |= theirs.keys()
    if not scores:
        return None
    sides = list(zip(*scores, strict=True))
    summaries = [side_summary(side) for side in sides]
    found = believed_comparison(*sides)
    reason = reasons.get(found["verdict"])
    return ComparisonRow(
        first=first,
        other=other,
        bench=bench,
        problems=summaries[0].problems,
        seeds=len(scores),
        left_out=[len(own - others) for own, others in (problems, problems[::-1])],
        accuracy=[side.accuracy for side in summaries],
        interval=[side.interval for side in summaries],
        mean_tokens=[side.mean_tokens for side in summaries],
        gain=found["gain"],
        verdict="cannot tell" if reason else found["verdict"],
        **({"verdict_reason": reason} if reason else {}),
        asked_otherwise=asked_otherwise(*pairs[0]),
    )


def form_alone_between(base: StoredCompletions, trained: StoredCompletions, common: Sequence[str]) -> str | None:
    """Returns why a gain over a base on these problems may be form alone, as `form_alone` does; None of no base."""
    for check, problems in (base.checks[bench] for bench in base.checks if base.benches[bench].keys() & {*common}):
        if not (best := check.better_way):
            continue
        marks = {text: mark for text, mark in zip(problems, best.correct, strict=False) if text in common}
        if not marks:
            return f"{template_check_in_words(check)} None of these problems is compared here"
        way = best.model_copy(update={"correct": "".join(marks.values())})
        if reason := form_alone(check.model_copy(update={"others": [way]}), trained.score([*marks])):
            return reason
    return None


def asked_otherwise(first: StoredCompletions, other: StoredCompletions) -> list[str]:
    """Returns what of the settings was not the same: `temperature 1.0 and 0.6`."""
    pairs = {name: (first.sampling.get(name), other.sampling.get(name)) for name in ASKED_ALIKE}
    return [f"{name} {one} and {two}" for name, (one, two) in pairs.items() if one != two]
