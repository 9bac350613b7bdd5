"""`tinyreason audit`: which test problems are in the training data, whole, nearly, or in a long run of words."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from tinyreason.data.filters import LEAK_WORDS, word_runs
from tinyreason.example import Example

SIMILARITY = 90.0
"""Two texts are near-duplicates from this rapidfuzz ratio on, 100 = equal."""
COMMON_ROWS, COMMON_TESTS = 3, 2
"""Words in a row of so many training problems, or of so many test problems, are a way of speaking: `where m and n are
relatively prime positive integers. Find m` stands in every other problem of AIME."""
CHUNK = 64
KINDS = {
    "identical": "the same text, but for case and space",
    "near_duplicate": f"at least {SIMILARITY:.0f} % of the text and all its numbers the same",
    "shared_run": f"{LEAK_WORDS} words in a row the same, not a common phrase: read them",
    "other_numbers": f"at least {SIMILARITY:.0f} % of the text the same, with other numbers: a template, not a copy",
}
"""From the worst; a test problem counts once, as the worst that is found."""


@dataclass(frozen=True)
class Finding:
    """A test problem and the training row most like it."""

    kind: str
    test_id: str
    train_id: str
    similarity: float
    """Rapidfuzz ratio, 0–100."""
    test_problem: str
    train_problem: str
    shared: str = ""
    """Of a `shared_run`, the words."""


@dataclass(frozen=True)
class AuditSummary:
    """How many test problems are in the training data."""

    train: int
    test: int
    contaminated: int
    """Of the first two kinds."""
    counts: dict[str, int]
    """Kind → test problems."""
    findings: list[Finding]


def find_contamination(train: list[Example], test: list[Example], advance: Callable[[int], None]) -> list[Finding]:
    """Returns what of the test is in the training data (problems and solutions); the worst kinds first.

    Time grows with train × test: the 10 million pairs of GSM8K take 8 s of processor time.
    """
    import numpy
    from rapidfuzz import fuzz, process

    texts = [_normal(_asked(example)) for example in train]
    numbers = [_numbers(text) for text in texts]
    where = _telling_runs(train, test)
    findings = []
    for at in range(0, len(test), CHUNK):
        part = test[at : at + CHUNK]
        asked = [_normal(_asked(example)) for example in part]
        ratios = process.cdist(
            asked, texts, scorer=fuzz.ratio, score_cutoff=SIMILARITY, workers=-1, dtype=numpy.float32
        )
        for example, text, row in zip(part, asked, ratios, strict=True):
            kind, best = _worst(text, row, numbers, where, example)
            if kind:
                similarity = float(row[best]) or float(fuzz.ratio(text, texts[best]))
                twin = train[best]
                runs = sorted(run for run in word_runs(_asked(example)) if where.get(run) == best)
                shared = " ".join(runs[0]) if kind == "shared_run" else ""
                findings.append(Finding(kind, example.id, twin.id, similarity, example.problem, twin.problem, shared))
        advance(len(part))
    return sorted(findings, key=lambda finding: (list(KINDS).index(finding.kind), -finding.similarity))


def audit_summary(findings: list[Finding], train: list[Example], test: list[Example]) -> AuditSummary:
    """Returns the counts by kind, and each finding."""
    counts = {kind: sum(finding.kind == kind for finding in findings) for kind in KINDS}
    contaminated = counts["identical"] + counts["near_duplicate"]
    return AuditSummary(len(train), len(test), contaminated, counts, findings)


def _worst(text: str, row, numbers: list[list[str]], where: dict, example: Example) -> tuple[str, int]:
    """Returns (kind, place in the training data), or ("", 0)."""
    alike = [int(place) for place in row.nonzero()[0]]
    alike.sort(key=lambda place: -row[place])
    if alike and row[alike[0]] == 100:
        return "identical", alike[0]
    same = next((place for place in alike if numbers[place] == _numbers(text)), None)
    if same is not None:
        return "near_duplicate", same
    shared = [where[run] for run in sorted(word_runs(_asked(example))) if run in where]
    if shared:
        return "shared_run", max(set(shared), key=shared.count)
    return ("other_numbers", alike[0]) if alike else ("", 0)


def _telling_runs(train: Iterable[Example], test: Iterable[Example]) -> dict[tuple[str, ...], int]:
    """Returns 13 words in a row of training data, but for common phrases → the first row that has them."""
    where: dict[tuple[str, ...], int] = {}
    rows: Counter[tuple[str, ...]] = Counter()
    asked: set[str] = set()
    for place, example in enumerate(train):
        texts = (_asked(example), example.completion or "", example.answer)
        runs = {run for text in texts for run in word_runs(text)}
        rows.update(runs if _asked(example) not in asked else ())  # many completions to one problem are one
        asked.add(_asked(example))
        for run in runs:
            where.setdefault(run, place)
    tests = Counter(run for example in test for run in word_runs(_asked(example)))
    return {run: place for run, place in where.items() if rows[run] < COMMON_ROWS and 0 < tests[run] < COMMON_TESTS}


def _asked(example: Example) -> str:
    """Returns the whole conversation, less what the system is told: the same problem stands under many of those."""
    turns = tuple(message for message in example.messages if message["role"] != "system")
    return replace(example, messages=turns or example.messages).identity


def _normal(text: str) -> str:
    return " ".join(text.lower().split())


def _numbers(text: str) -> list[str]:
    return sorted(re.findall(r"\d+(?:\.\d+)?", text))
