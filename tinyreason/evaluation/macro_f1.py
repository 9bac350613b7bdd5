"""Macro-F1 over the labels of a closed set, as MATHCHECK scores its tasks of verdicts (arXiv 2407.08733).

Formula: of each label that is a gold answer F1 = 2·TP / (2·TP + FP + FN), then their mean. A completion without a label
is a class of its own: it is missed by its gold answer and charged to no other label; as no gold answer is of that
class, it has no F1 in the mean. Gold C, C, I, I and said C, I, I, nothing: F1 2/3 and 1/2, mean 7/12.
"""

import random
from collections.abc import Sequence
from statistics import fmean

from tinyreason.evaluation.score import Score
from tinyreason.grading.graders import read_rule
from tinyreason.grading.graders.label import as_label
from tinyreason.runs.stored import Interval, Number, Stored

RESAMPLES = 1_000
NOTHING = ""
Pairs = Sequence[tuple[str, str]]
"""(gold label, label that was said or `NOTHING`)."""


class MacroF1(Stored):
    """Macro-F1 of a bench whose answers are labels, 0–1, with its percentile bootstrap by problem."""

    value: Number
    interval: Interval
    labels: dict[str, Number]
    """Label → its F1."""


def f1_by_label(pairs: Pairs) -> dict[str, float]:
    """Returns the F1 of each label that is a gold answer."""
    found = {}
    for label in sorted({gold for gold, _ in pairs}):
        hits = sum(gold == said == label for gold, said in pairs)
        either = sum(gold == label for gold, _ in pairs) + sum(said == label for _, said in pairs)
        found[label] = 2 * hits / either
    return found


def macro_f1(score: Score) -> MacroF1 | None:
    """Returns the figure of a bench whose answers are all labels, of two at least; else None."""
    if any(example.grader != "label" for example in score.examples):
        return None
    rows: list[Pairs] = []
    for example, completions in zip(score.examples, score.completions_P_S, strict=True):
        rule, gold = read_rule(example.rule), as_label(example.answer)
        rows.append([(gold, gold if one.correct else rule.label_of(one.extracted or "")) for one in completions])
    labels = f1_by_label([pair for row in rows for pair in row])
    if len(labels) < 2:
        return None
    rng = random.Random(0)
    drawn = sorted(
        fmean(f1_by_label([pair for row in rng.choices(rows, k=len(rows)) for pair in row]).values())
        for _ in range(RESAMPLES)
    )
    interval = [drawn[int(0.025 * RESAMPLES)], drawn[int(0.975 * RESAMPLES) - 1]]
    return MacroF1(value=fmean(labels.values()), interval=interval, labels=labels)
