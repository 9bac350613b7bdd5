"""Which test problems are in the training data: whole, nearly, or in a long run of words."""

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
COPIES = ("identical", "near_duplicate")
"""The kinds that no evaluation may hold."""


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


class KnownProblems:
    """Problems that others are compared with, read once: whether one of those is a copy of one of these."""

    def __init__(self, examples: list[Example]):
        self.texts = [_normal(_asked(example)) for example in examples]
        self.numbers = [_numbers(text) for text in self.texts]
        self.together = "".join(f" {text} \n" for text in self.texts)
        self.are_requests = all(example.meta.get("is_whole_request") for example in examples)
        """Whether they hold a problem and more, as the request for a critique does."""

    def likenesses(self, asked: list[str]):
        """Returns (asked, known) rapidfuzz ratios, 0 where they are below `SIMILARITY`."""
        import numpy
        from rapidfuzz import fuzz, process

        settings = {"scorer": fuzz.ratio, "score_cutoff": SIMILARITY, "workers": -1, "dtype": numpy.float32}
        return process.cdist(asked, self.texts, **settings)

    def copied(self, text: str, ratios) -> tuple[str, int]:
        """Returns (kind, place) of the known problem that this one is a copy of, or ("", 0)."""
        alike = by_likeness(ratios)
        if alike and ratios[alike[0]] == 100:
            return "identical", alike[0]
        numbers = _numbers(text)
        same = next((place for place in alike if self.numbers[place] == numbers), None)
        return ("", 0) if same is None else ("near_duplicate", same)

    def copy_kind(self, text: str, ratios) -> str:
        """Returns how an evaluation may not hold this problem, or "": one that stands whole in a longer one counts."""
        kind, _ = self.copied(text, ratios)
        is_long = len(text.split()) >= LEAK_WORDS or self.are_requests
        return kind or ("identical" if is_long and f" {text} " in self.together else "")


def by_likeness(ratios) -> list[int]:
    """Returns the places of the ratios that are not 0, from the highest on."""
    return sorted((int(place) for place in ratios.nonzero()[0]), key=lambda place: -ratios[place])


def without_copies(
    candidates: list[Example], known: list[Example], count: int, advance: Callable[[int], None] = lambda _: None
) -> tuple[list[Example], Counter[str]]:
    """Returns the first `count` candidates that copy no known problem, and kind → how many were passed over.

    Only as many are compared as that takes, for the time grows with their number × the known.
    """
    problems, kept, passed = KnownProblems(known), [], Counter()
    for at in range(0, len(candidates), CHUNK):
        missing = count - len(kept)
        if not known or not missing:
            return kept + candidates[at:][:missing], passed
        part = candidates[at : at + CHUNK]
        asked = [_normal(_asked(example)) for example in part]
        for example, text, ratios in zip(part, asked, problems.likenesses(asked), strict=True):
            if len(kept) == count:
                break
            kind = problems.copy_kind(text, ratios)
            if kind:
                passed[kind] += 1
            else:
                kept.append(example)
        advance(min(missing, len(part)))
    return kept, passed


def copies_in_words(passed: Counter[str]) -> str:
    """Returns how many problems were passed over and why: `2 whole, 1 nearly`."""
    words = {"identical": "whole", "near_duplicate": "nearly"}
    return ", ".join(f"{passed[kind]} {word}" for kind, word in words.items() if passed[kind])


def find_contamination(train: list[Example], test: list[Example], advance: Callable[[int], None]) -> list[Finding]:
    """Returns what of the test is in the training data (problems and solutions); the worst kinds first.

    Time grows with train × test: the 10 million pairs of GSM8K take 8 s of processor time.
    """
    from rapidfuzz import fuzz

    known, where, findings = KnownProblems(train), _telling_runs(train, test), []
    for at in range(0, len(test), CHUNK):
        part = test[at : at + CHUNK]
        asked = [_normal(_asked(example)) for example in part]
        for example, text, row in zip(part, asked, known.likenesses(asked), strict=True):
            kind, best = _worst(text, row, known, where, example)
            if kind:
                similarity = float(row[best]) or float(fuzz.ratio(text, known.texts[best]))
                twin = train[best]
                runs = sorted(run for run in word_runs(_asked(example)) if where.get(run) == best)
                shared = " ".join(runs[0]) if kind == "shared_run" else ""
                findings.append(Finding(kind, example.id, twin.id, similarity, example.problem, twin.problem, shared))
        advance(len(part))
    return sorted(findings, key=lambda finding: (list(KINDS).index(finding.kind), -finding.similarity))


def audit_summary(findings: list[Finding], train: list[Example], test: list[Example]) -> AuditSummary:
    """Returns the counts by kind, and each finding."""
    counts = {kind: sum(finding.kind == kind for finding in findings) for kind in KINDS}
    contaminated = sum(counts[kind] for kind in COPIES)
    return AuditSummary(len(train), len(test), contaminated, counts, findings)


def _worst(text: str, row, known: KnownProblems, where: dict, example: Example) -> tuple[str, int]:
    """Returns (kind, place in the training data), or ("", 0)."""
    kind, place = known.copied(text, row)
    if kind:
        return kind, place
    shared = [where[run] for run in sorted(word_runs(_asked(example))) if run in where]
    if shared:
        return "shared_run", max(set(shared), key=shared.count)
    alike = by_likeness(row)
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
