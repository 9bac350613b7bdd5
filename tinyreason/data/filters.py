"""Chooses the rows of a set that are kept: the filters of One-Shot-CFT (arXiv 2506.03295) and near-duplicates."""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Annotated

from pydantic import Field

from tinyreason.data.files import Row
from tinyreason.errors import DataError
from tinyreason.example import Example
from tinyreason.schema import Schema

LEAK_WORDS = 13
"""A run of so many words of another problem is not an accident (the window of GPT-3's decontamination)."""


class Filters(Schema):
    """Filters the rows whose answers are usable."""

    n: Annotated[int, Field(ge=1)] | None = None
    """Most rows that are kept; null = all."""
    trim: float = Field(0.05, ge=0, lt=0.5)
    """With `n`: share dropped at either end of the order by length before n are sampled, never below n."""
    near_duplicates: float = Field(0.95, gt=0, le=1)
    """Rows of one problem with the same numbers are one if they agree in so much of their text; 1 = keep all."""
    seed: int = Field(0, ge=0)
    """Seed of the sample of n."""

    def apply(self, rows: list[Row], others: Iterable[Example], dropped: Counter[str]) -> list[Row]:
        """Returns the rows kept, in their order; `dropped` is told how many went at each filter."""
        stages: tuple[tuple[str, Callable[[list[Row]], list[Row]]], ...] = (
            ("text of another problem in it", lambda rows: without_leaks(rows, others)),
            ("near-duplicate", lambda rows: without_near_duplicates(rows, self.near_duplicates)),
            ("longest or shortest", lambda rows: trimmed(rows, self.trim, self.n)),
            ("more than n", lambda rows: subsample(rows, self.n, self.seed)),
        )
        for reason, stage in stages:
            left = stage(rows)
            dropped[reason] += len(rows) - len(left)
            rows = left
        return rows


def without_leaks(rows: list[Row], others: Iterable[Example]) -> list[Row]:
    """Returns those whose completion repeats no 13 words on end of a problem that is not theirs."""
    where: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        own = word_runs(row["problem"]) | word_runs(row.get("attempt", ""))
        for run in word_runs(row["completion"]) - own:
            where[run].append(number)
    leaky = {number for other in others for run in word_runs(other.problem) for number in where.get(run, ())}
    return [row for number, row in enumerate(rows) if number not in leaky]


def without_near_duplicates(rows: list[Row], ratio: float) -> list[Row]:
    """Returns the first of those that say the same of an attempt; a row with another number says something else."""
    if ratio == 1:
        return rows
    texts = [f"{row.get('attempt', '')} {row['completion']}" for row in rows]
    first = first_of_alike(texts, [row["problem_id"] for row in rows], ratio)
    return [row for place, row in enumerate(rows) if place in first]


def first_of_alike(texts: list[str], groups: list[str], ratio: float) -> set[int]:
    """Returns the places of texts that no earlier one of their group is like, but for case, space and 1 − ratio."""
    from rapidfuzz import fuzz, process

    kept, alike = set(), defaultdict(list)
    for place, (whole, group) in enumerate(zip(texts, groups, strict=True)):
        text = " ".join(whole.lower().split())
        seen = alike[group, tuple(sorted(re.findall(r"\d+(?:\.\d+)?", text)))]
        if process.extractOne(text, seen, scorer=fuzz.ratio, score_cutoff=100 * ratio) is None:
            seen.append(text)
            kept.add(place)
    return kept


def trimmed(rows: list[Row], share: float, n: int | None) -> list[Row]:
    """Leaves out the longest and the shortest completions, as many of the one as of the other."""
    surplus = len(rows) - n if n else 0
    inside = inner_places([len(row["completion"]) for row in rows], min(int(share * len(rows)), surplus // 2))
    return [row for number, row in enumerate(rows) if number in inside]


def inner_places(lengths: list[int], each: int) -> set[int]:
    """Returns the places of all but the `each` shortest and the `each` longest."""
    by_length = sorted(range(len(lengths)), key=lambda number: lengths[number])
    return set(by_length[each:-each] if each > 0 else by_length)


def subsample(rows: list[Row], n: int | None, seed: int) -> list[Row]:
    """Samples n of them, in their order."""
    return [rows[number] for number in sampled_places(len(rows), n, seed)]


def sampled_places(count: int, n: int | None, seed: int) -> list[int]:
    """Returns n of so many places, sampled, in order; all of them where there are no more, or n is None."""
    return sorted(random.Random(seed).sample(range(count), n)) if n is not None and n < count else list(range(count))


def check_not_empty(rows: list[Row], what: str, dropped: Counter[str], hint: str = "") -> None:
    """Raises `DataError` where nothing is left, and says which filter took most."""
    if rows:
        return
    total = dropped.total()
    ((reason, most),) = dropped.most_common(1) or [("nothing to answer", 0)]
    raise DataError(
        f"no {what} is left of {total:,}: the filter '{reason}' took {most:,}{hint and f' ({hint})'}; "
        "try another --teacher or --model, or other attempts."
    )


def word_runs(text: str) -> set[tuple[str, ...]]:
    """Returns every 13 words on end, without case and punctuation."""
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[at : at + LEAK_WORDS]) for at in range(len(words) - LEAK_WORDS + 1)}
