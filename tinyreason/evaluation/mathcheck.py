"""MATHCHECK-GSM: four tasks about each problem, each in four versions of it; sixteen cells and their mean.

The tasks (arXiv 2407.08733) are to solve a problem, to say whether a solution's answer is correct, at which step it
fails, and whether the problem can be answered at all; the versions are the problem, said otherwise, with something in
it that does not matter, and asked for something else. Accuracy in the cells of solving and of steps, macro-F1 over the
labels in the others, as the authors' script; the words of the tasks are ours, and the interval, by bootstrap over the
129 problems. The authors publish no licence, so no copy is kept here: their `gsm_checklist.json` is read.
"""

from collections.abc import Callable, Sequence
from typing import Any

from tinyreason.errors import DataError
from tinyreason.evaluation.macro_f1 import RESAMPLES
from tinyreason.evaluation.score import Completion, Score
from tinyreason.example import Example
from tinyreason.grading.graders import read_rule
from tinyreason.grading.graders.label import as_label
from tinyreason.runs.stored import Interval, Number, Stored

VERSIONS = {
    "seed_question": "original",
    "problem_understanding_question": "said otherwise",
    "distractor_insertion_question": "with a distractor",
    "scenario_understanding": "asked otherwise",
}
MOST_STEPS = 40
VERDICTS = {
    "outcome_judging": ("Correct", "Incorrect"),
    "answerable_judging": ("Answerable", "Unanswerable"),
}
"""Task → its labels, where macro-F1 counts."""
LABELS = VERDICTS | {"process_judging": tuple(f"Step {number}" for number in range(1, MOST_STEPS + 1))}
REQUESTS = {
    "solving": "{question}",
    "outcome_judging": "Problem: {question}\n\nSolution:\n{solution}\n\nIs the final answer of this solution Correct "
    "or Incorrect? Answer with one of these two words.",
    "process_judging": "Problem: {question}\n\nSolution:\n{solution}\n\nThis solution is incorrect. At which step does "
    "it go wrong first? Answer in the form Step 1.",
    "answerable_judging": "Problem: {question}\n\nCan this problem be answered from what it says? Answer with one of "
    "these two words: Answerable, Unanswerable.",
}
"""Task → how it is asked."""

Cell = tuple[str, str]
"""A task, and a version of the problem."""
Pair = tuple[str, str]
"""What is correct, and what was said."""


class MathCheck(Stored):
    """The sixteen cells of MATHCHECK, 0–1, and their mean."""

    score: Number
    interval: Interval
    cells: dict[str, dict[str, Number]]
    """Task → version → accuracy, or macro-F1."""


def checklist(rows: Sequence[dict[str, Any]], origin: str) -> list[Example]:
    """Returns the questions of the authors' file. Errors: `DataError` for a row that is not of it."""
    found = []
    for place, row in enumerate(rows):
        task, version = row.get("task_type"), row.get("question_type")
        wanted = (
            "question",
            "answer",
            "group_id",
            *(["solution"] if task in ("outcome_judging", "process_judging") else []),
        )
        if task not in REQUESTS or version not in VERSIONS or any(row.get(name) is None for name in wanted):
            raise DataError(
                f"{origin} row {place + 1} is not of MATHCHECK-GSM: it needs task_type, question_type and "
                f"{', '.join(wanted)}; give the authors' gsm_checklist.json."
            )
        text = REQUESTS[task].format(question=row["question"], solution=row.get("solution"))
        graded = {"grader": {"labels": list(LABELS[task])}} if task in LABELS else {}
        found.append(
            Example(
                id=f"mathcheck/{row['group_id']}/{row.get('id', place)}",
                messages=({"role": "user", "content": text},),
                answer=str(row["answer"]),
                meta={"task": task, "version": VERSIONS[version]} | graded,
                grader="label" if graded else "math",
            )
        )
    return found


def mathcheck(score: Score) -> MathCheck | None:
    """Returns the cells that are there and their mean; None of another bench."""
    if not score.examples or not all(example.id.startswith("mathcheck/") for example in score.examples):
        return None
    import numpy as np

    groups: dict[str, int] = {}
    for example in score.examples:
        groups.setdefault(group_of(example), len(groups))
    counts: dict[Cell, dict[Pair, Any]] = {}
    for example, completions in zip(score.examples, score.completions_P_S, strict=True):
        cell = counts.setdefault((example.meta["task"], example.meta["version"]), {})
        for one in completions:
            by_group = cell.setdefault(label_pair(example, one), np.zeros(len(groups)))
            by_group[groups[group_of(example)]] += 1
    whole = {
        cell: float(cell_value(cell, {pair: each.sum() for pair, each in pairs.items()}))
        for cell, pairs in counts.items()
    }
    weights = np.random.default_rng(0).multinomial(len(groups), [1 / len(groups)] * len(groups), size=RESAMPLES)
    drawn = [cell_value(cell, {pair: weights @ each for pair, each in pairs.items()}) for cell, pairs in counts.items()]
    interval = [float(end) for end in np.quantile(sum(drawn) / len(drawn), [0.025, 0.975])]
    cells: dict[str, dict[str, float]] = {}
    for (task, version), value in whole.items():
        cells.setdefault(task, {})[version] = value
    return MathCheck(score=sum(whole.values()) / len(whole), interval=interval, cells=cells)


def group_of(example: Example) -> str:
    """Returns which of the 129 problems a question is about."""
    return example.id.split("/")[1]


def label_pair(example: Example, completion: Completion) -> Pair:
    """Returns (gold, said): two labels, or of the other tasks whether it is correct."""
    if example.meta["task"] not in VERDICTS:
        return "correct", "correct" if completion.correct else ""
    gold = as_label(example.answer)
    return gold, gold if completion.correct else read_rule(example.rule).label_of(completion.extracted or "")


def cell_value(cell: Cell, totals: dict[Pair, Any]) -> Any:
    """Returns the accuracy of a cell, or its macro-F1, of how often each pair is there; numbers, or arrays of them."""

    def count(is_counted: Callable[[str, str], bool]) -> Any:
        return sum(total for pair, total in totals.items() if is_counted(*pair))

    if cell[0] not in VERDICTS:
        return count(lambda gold, said: gold == said) / at_least_1(count(lambda gold, said: True))
    labels = {gold for gold, _ in totals}
    hits = [2 * count(lambda gold, said, label=label: gold == said == label) for label in sorted(labels)]
    either = [
        count(lambda gold, said, label=label: gold == label) + count(lambda gold, said, label=label: said == label)
        for label in sorted(labels)
    ]
    return sum(hit / at_least_1(total) for hit, total in zip(hits, either, strict=True)) / len(labels)


def at_least_1(counts: Any) -> Any:
    """Returns the counts, 1 where there is nothing to divide by."""
    return counts + (counts == 0)
