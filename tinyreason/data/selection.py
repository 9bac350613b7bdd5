"""Ranks problems to train on by how a trial run fared on each."""

from collections import defaultdict
from math import fsum
from pathlib import Path
from statistics import pvariance
from typing import Any, Literal

from tinyreason.data.files import read_json, read_lines
from tinyreason.data.rollout_rows import rollouts_file
from tinyreason.errors import ConfigError, DataError, nearest

History = dict[str, list[float]]
"""Problem id to its accuracies, epoch by epoch."""


def read_history(path: Path) -> History:
    """Reads a JSON object, problem id to its accuracies: `{"17": [0, 0.5, 1]}`."""
    history = read_json(path, object_pairs_hook=lambda pairs: _without_repeats(path, pairs))
    if not isinstance(history, dict):
        raise DataError(f'{path} must hold an object such as {{"17": [0, 0.5, 1]}}, an id to its accuracies.')
    if not history:
        raise DataError(f"{path} names no problem.")
    for id, accuracies in history.items():
        if not isinstance(accuracies, list) or not accuracies:
            raise DataError(f"{path}: problem '{id}' needs a list of at least one accuracy, such as [0, 0.5, 1].")
        for value in accuracies:
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                raise DataError(f"{path}: problem '{id}' has the accuracy {value!r}; allowed are numbers from 0 to 1.")
    return history


def history_of_run(run_folder: Path) -> History:
    """Reads the same from a run's rollouts.jsonl: each visit of a problem counts as one epoch, in order of step.

    A visit's accuracy is the share of correct rollouts among those that could be graded.
    """
    path = rollouts_file(run_folder)
    visits: dict[tuple[int, int, str], list[bool]] = defaultdict(list)
    for number, line in enumerate(read_lines(path), 1):
        step, group, id, correct = (line.get(key) for key in ("step", "group", "problem_id", "correct"))
        known = isinstance(step, int) and isinstance(group, int) and isinstance(id, str)
        if not known or "correct" not in line or correct not in (True, False, None):
            raise DataError(f"{path} line {number} is not a rollout; it needs step, group, problem_id and correct.")
        if correct is not None:
            visits[step, group, id].append(correct)
    history: History = defaultdict(list)
    for (_, _, id), correct in sorted(visits.items(), key=lambda visit: visit[0][0]):
        history[id].append(sum(correct) / len(correct))
    if not history:
        raise DataError(f"{path} holds no rollout that could be graded, so there is nothing to rank by.")
    return dict(history)


def rank(
    history: History, by: Literal["variance", "pass_rate"] = "variance", top: int | None = None
) -> list[dict[str, Any]]:
    """Returns the problems, best first: `{"rank", "id", "score", "mean_accuracy"}`; ties stay in the history's order.

    `variance`, of the accuracies over the epochs, is how 1-shot RLVR chooses (arXiv 2504.20571): such a problem is
    being learned, not known or hopeless. `pass_rate` is the mean accuracy: the surest first.
    """
    if by not in SCORES:
        raise ConfigError(f"problems cannot be ranked by '{by}'{nearest(by, SCORES)}.")
    if top is not None and top < 1:
        raise ConfigError(f"top {top} asked for; it must be at least 1.")
    scored = [(id, _tidy(SCORES[by](accuracies)), _tidy(_mean(accuracies))) for id, accuracies in history.items()]
    scored.sort(key=lambda row: -row[1])
    return [
        {"rank": place, "id": id, "score": score, "mean_accuracy": mean}
        for place, (id, score, mean) in enumerate(scored[:top], 1)
    ]


def _mean(accuracies: list[float]) -> float:
    return fsum(accuracies) / len(accuracies)


SCORES = {"variance": pvariance, "pass_rate": _mean}


def _tidy(score: float) -> float:
    """Rounds off the last float digits, which would break ties: the variance of .2 .4 is that of .4 .6."""
    return round(float(score), 12)


def _without_repeats(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for id, value in pairs:
        if id in found:
            raise DataError(f"{path} names problem '{id}' twice; keep one of them.")
        found[id] = value
    return found
