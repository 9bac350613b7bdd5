"""The arena's table: each method beside plain training, with intervals that hold for all methods at once."""

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path
from statistics import mean
from typing import Any

from tinyreason.atomic import write_text
from tinyreason.config.worlds import PLAIN, ArenaWorld
from tinyreason.intervals import against_control, averaged
from tinyreason.reporting.report import render
from tinyreason.reporting.sweep_table import ProblemMeans

COLUMNS = (
    *("method", "accuracy", "less plain training, points", "p", "by the second grader"),
    *("tokens", "less plain's, tokens", "steps", "seconds", "each seed", "what is told, and warnings"),
)
UNTOLD = "cannot be told from plain training"
SAME = "cannot be told from plain training: the same in every problem, so here it changes nothing"


@dataclass(frozen=True)
class SeedOfEntry:
    """What one seed of a method reached, and what it spent."""

    seed: int
    before: ProblemMeans
    after: ProblemMeans
    steps: int
    spent: int
    """Completion tokens, sampled and trained on."""
    seconds: float
    """Of training."""
    warnings: list[str]


@dataclass(frozen=True)
class ArenaEntry:
    """A method in a world, with what is done of it."""

    name: str
    family: str
    seeds: list[SeedOfEntry]
    refused: str | None = None
    """Why it does not stand here, or failed."""
    missing: list[int] = field(default_factory=list)
    """Seeds that are not done."""


@dataclass(frozen=True)
class Difference:
    """A mean difference to plain training; of accuracies in points, of tokens in tokens."""

    mean: float
    interval: list[float] | None
    """At 95 %, for all methods of the world at once; None with less than two seeds."""
    p_value: float | None


@dataclass(frozen=True)
class ArenaRow:
    """A line of the table."""

    name: str
    family: str
    seeds: list[int]
    before: float | None = None
    accuracy: float | None = None
    """Of the end, 0–1."""
    by_seed: list[float] = field(default_factory=list)
    strict: float | None = None
    """By the second grader, which training never sees."""
    tokens: float | None = None
    steps: float | None = None
    spent: float | None = None
    seconds: float | None = None
    warnings: list[str] = field(default_factory=list)
    to_plain: Difference | None = None
    tokens_to_plain: Difference | None = None
    said: str = ""
    """What the row says in the end."""

    def as_json(self) -> dict[str, Any]:
        """Returns what arena.json holds of it."""
        return asdict(self)


def rows_from(values: Sequence[dict[str, Any]]) -> list[ArenaRow]:
    """Returns the rows of an arena.json."""
    named = ("to_plain", "tokens_to_plain")
    return [ArenaRow(**row | {name: row[name] and Difference(**row[name]) for name in named}) for row in values]


def arena_rows(found: Sequence[ArenaEntry]) -> list[ArenaRow]:
    """Returns a row a method, plain training first, the others by their difference to it; those without a run last."""
    plain = next(entry for entry in found if entry.name == PLAIN)
    compared = [entry for entry in found if entry is not plain and entry.seeds] if plain.seeds else []
    accuracies = to_plain_of(compared, plain, lambda one: 100 * mean(one.after.accuracy.values()))
    lengths = to_plain_of(compared, plain, lambda one: mean(one.after.tokens.values()))
    of = {entry.name: both for entry, *both in zip(compared, accuracies, lengths, strict=True)}
    ends = {one.seed: one.after for one in plain.seeds}
    same = {entry.name for entry in compared if all(one.after == ends.get(one.seed) for one in entry.seeds)}
    rows = [arena_row(entry, *of.get(entry.name, (None, None)), entry.name in same) for entry in found]
    return sorted(rows, key=lambda row: (row.name != PLAIN, -row.to_plain.mean if row.to_plain else inf))


def arena_row(
    entry: ArenaEntry, to_plain: Difference | None, tokens_to_plain: Difference | None, is_same: bool
) -> ArenaRow:
    """Returns the line of one method; `is_same`: each problem ended as in plain training."""
    seeds = [one.seed for one in entry.seeds]
    if not entry.seeds:
        return ArenaRow(entry.name, entry.family, seeds, said=entry.refused or "not run")
    accuracy = [mean(one.after.accuracy.values()) for one in entry.seeds]
    return ArenaRow(
        name=entry.name,
        family=entry.family,
        seeds=seeds,
        before=mean(mean(one.before.accuracy.values()) for one in entry.seeds),
        accuracy=mean(accuracy),
        by_seed=accuracy,
        strict=mean(averaged([one.after.strict for one in entry.seeds]).values()),
        tokens=mean(averaged([one.after.tokens for one in entry.seeds]).values()),
        steps=mean(one.steps for one in entry.seeds),
        spent=mean(one.spent for one in entry.seeds),
        seconds=mean(one.seconds for one in entry.seeds),
        warnings=list(dict.fromkeys(title for one in entry.seeds for title in one.warnings)),
        to_plain=to_plain,
        tokens_to_plain=tokens_to_plain,
        said="; ".join(said_of(entry, to_plain, tokens_to_plain, is_same)),
    )


def said_of(entry: ArenaEntry, to_plain: Difference | None, lengths: Difference | None, is_same: bool) -> Iterator[str]:
    """Yields what can be told of a method."""
    if entry.refused:
        yield f"a seed failed: {entry.refused}"
    if to_plain is None:
        return
    if len(entry.seeds) < 2:
        yield "one seed, so nothing is told"
        return
    told = ((to_plain, "worse", "better"), (lengths, "shorter", "longer"))
    words = [more if one.mean > 0 else less for one, less, more in told if is_told(one)]
    yield SAME if is_same else " and ".join(words) if words else UNTOLD


def is_told(one: Difference) -> bool:
    """Returns whether a difference is there beyond chance, as one of so many."""
    return one.interval is not None and not one.interval[0] <= 0 <= one.interval[1]


def to_plain_of(
    entries: Sequence[ArenaEntry], plain: ArenaEntry, of: Callable[[SeedOfEntry], float]
) -> list[Difference]:
    """Returns the difference of each method to plain training in a figure of a seed; the seeds are the units."""
    values = [[of(one) for one in entry.seeds] for entry in entries]
    control = [of(one) for one in plain.seeds]
    told = zip(values, against_control(values, control), strict=True)
    return [Difference(mean(own) - mean(control), *(found or (None, None))) for own, found in told]


def write_arena(world: ArenaWorld, found: Sequence[ArenaEntry], out: Path) -> None:
    """Writes arena.json, .md, .html and .svg of what is done so far."""
    from tinyreason.reporting.arena_plot import draw_arena

    rows = arena_rows(found)
    budget = world.plan.on(world.tier)["train"]["token_budget"]
    told = {"world": world.name, "purpose": world.purpose, "shows": world.shows, "hides": world.hides, "budget": budget}
    write_text(out / "arena.json", json.dumps(told | {"rows": [row.as_json() for row in rows]}, indent=1))
    write_text(out / "arena.md", arena_markdown(rows))
    draw_arena(rows, out / "arena.svg")
    picture = b64encode((out / "arena.svg").read_bytes()).decode() if (out / "arena.svg").exists() else None
    table = {"columns": COLUMNS, "rows": [cells(row) for row in rows], "words": list(words_under(rows))}
    write_text(out / "arena.html", render("arena.html.jinja", world=told, picture=picture, **table))


def arena_markdown(rows: list[ArenaRow]) -> str:
    """Returns the table, and under it what it says in words."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells(row))} |" for row in rows]
    return "\n".join([*lines, "", *words_under(rows)]) + "\n"


def cells(row: ArenaRow) -> list[str]:
    """Returns a row's cells, as people read them."""
    if row.accuracy is None:
        return [f"`{row.name}`", *[""] * (len(COLUMNS) - 2), row.said]
    name = "plain training" if row.name == PLAIN else f"`{row.name}`"
    has_p = row.to_plain and row.to_plain.p_value is not None
    return [
        name,
        f"{row.accuracy:.3f}",
        points(row.to_plain),
        f"{row.to_plain.p_value:.2g}" if has_p else "",
        f"{row.strict:.3f}",
        f"{row.tokens:.0f}",
        points(row.tokens_to_plain),
        f"{row.steps:.0f}",
        f"{row.seconds:.0f}",
        ", ".join(f"{value:.3f}" for value in row.by_seed),
        "; ".join(filter(None, [row.said, *kinds_of(row.warnings)])),
    ]


def points(one: Difference | None) -> str:
    """Returns `+1.2 [-0.9, +3.1]`."""
    if one is None or one.interval is None:
        return f"{one.mean:+.1f}" if one else ""
    return f"{one.mean:+.1f} [{one.interval[0]:+.1f}, {one.interval[1]:+.1f}]"


def kinds_of(warnings: Sequence[str]) -> list[str]:
    """Returns one warning of those that differ in their figures alone."""
    return list({re.sub(r"\d+", "", title): title for title in reversed(warnings)}.values())[::-1]


def words_under(rows: list[ArenaRow]) -> Iterator[str]:
    """Yields how many can be told from plain training, and how the intervals are to be read."""
    compared = [row for row in rows if row.to_plain and row.to_plain.interval]
    if not compared:
        return
    for word in ("better", "worse", "shorter", "longer"):
        names = [row.name for row in compared if word in row.said.split("; ")[0].split()]
        if names:
            yield f"Told from plain training, {word}: {', '.join(names)}."
    untold = sum(row.said.startswith(UNTOLD) for row in compared)
    yield (
        f"Of {len(compared)} methods {untold} cannot be told from plain training. Intervals and p are Dunnett's "
        f"(scipy.stats.dunnett): for all methods at once, seeds the units, their spread that of all methods together."
    )
