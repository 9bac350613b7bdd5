"""Reads how sure a completion says it is, and how well that fits what was correct."""

import re
from collections.abc import Sequence
from statistics import fmean

BINS = 10
_TAG = re.compile(r"<confidence>\s*([01]?\.\d{1,9}|[01])\s*</confidence>")


def read_confidence(completion: str) -> float | None:
    """Returns q from 0 to 1 of the completion's one `<confidence>`; None where there is none, several, or another."""
    found = _TAG.findall(completion)
    is_one = len(found) == 1 and completion.count("<confidence>") == 1
    return float(found[0]) if is_one and float(found[0]) <= 1 else None


def confidence_fit(completions: Sequence[str], correct: Sequence[bool]) -> dict[str, float | None] | None:
    """Returns how well confidences q fit what is correct, c; None where no completion has one.

    `share` of the completions have one, all else is of these: their `mean`, `brier` = mean (q − c)², where a constant
    0.5 gets 0.25, `ece` = |mean of q − c| over ten equal bins of q, each weighted by its share, and `auroc`, how often
    a correct one is surer than an incorrect one, ties count half; None where all are of one kind.
    """
    read = [(read_confidence(text), float(is_correct)) for text, is_correct in zip(completions, correct, strict=True)]
    pairs = [(q, c) for q, c in read if q is not None]
    if not pairs:
        return None
    bins = [[pair for pair in pairs if min(int(pair[0] * BINS), BINS - 1) == number] for number in range(BINS)]
    surer, less_sure = ([q for q, c in pairs if c == outcome] for outcome in (1, 0))
    wins = [(a > b) + (a == b) / 2 for a in surer for b in less_sure]
    return {
        "share": len(pairs) / len(read),
        "mean": fmean(q for q, _ in pairs),
        "brier": fmean((q - c) ** 2 for q, c in pairs),
        "ece": sum(abs(sum(q - c for q, c in inside)) for inside in bins) / len(pairs),
        "auroc": fmean(wins) if wins else None,
    }
