"""The table of a frontier: accuracy and tokens with intervals, which points dominate and which did nothing."""

from collections.abc import Iterator, Sequence
from statistics import mean
from typing import Any

from tinyreason.intervals import difference_interval, share_interval

FIELDS = {"accuracy": share_interval, "tokens": difference_interval}
"""What is compared → the interval of its mean over problems."""


def rows_of(sides: dict[str, list[dict[str, Any]]], start: str, plain: str) -> list[dict[str, Any]]:
    """A row a point, the start first; `sides[point]` holds each seed's {seed, accuracy, tokens} by problem.

    Seeds are averaged by problem, so problems are the clusters of every interval. A point is compared with the start
    and with plain GRPO on the seeds and problems both have. `front`: no other point is both as right and as short.
    `pays`: its accuracy is below the start's, the interval of the difference excluding 0. `moved`: its accuracy or its
    tokens differ from plain GRPO's in the same sense; None for plain itself. `own_start`: where it began, if that is
    not the common start (another prompt, model or warm-up).
    """
    rows = []
    for name, found in sides.items():
        row: dict[str, Any] = {"name": name, "seeds": sorted(side["seed"] for side in found)}
        for field in FIELDS:
            values = averaged(found, field)
            row[field] = {"mean": mean(values.values()), "interval": FIELDS[field](list(values.values()))}
        for other, key in ((start, "to_start"), (plain, "to_plain")):
            if name != other and sides.get(other):
                row[key] = {field: difference(found, sides[other], field) for field in FIELDS}
        rows.append(row)
    for row in rows:
        row["front"] = row["name"] != start and not any(
            dominates(other, row) for other in rows if other["name"] != start
        )
        row["dominates"] = [other["name"] for other in rows if other["name"] != start and dominates(row, other)]
        row["moved"] = moved(row["to_plain"]) if "to_plain" in row and row["name"] != start else None
        row["pays"] = "to_start" in row and (row["to_start"]["accuracy"]["interval"] or [0, 0])[1] < 0
        row["own_start"] = own_start(sides[row["name"]], sides[start])
    return rows


def averaged(found: list[dict[str, Any]], field: str) -> dict[str, float]:
    """Each problem's value, averaged over the seeds that asked it."""
    problems = dict.fromkeys(problem for side in found for problem in side[field])
    return {problem: mean(side[field][problem] for side in found if problem in side[field]) for problem in problems}


def difference(one: list[dict[str, Any]], other: list[dict[str, Any]], field: str) -> dict:
    """The mean difference, paired by problem, with its interval; over the seeds and problems both have."""
    both = {side["seed"] for side in one} & {side["seed"] for side in other}
    first, second = (averaged([s for s in sides if s["seed"] in both], field) for sides in (one, other))
    gaps = [first[problem] - second[problem] for problem in first if problem in second]
    return {"mean": mean(gaps), "interval": difference_interval(gaps)} if gaps else {"mean": None, "interval": None}


def dominates(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether `one` is at least as right in at most as many tokens, and better in one of the two."""
    right = one["accuracy"]["mean"] - other["accuracy"]["mean"]
    saved = other["tokens"]["mean"] - one["tokens"]["mean"]
    return right >= 0 and saved >= 0 and right + saved > 0


def own_start(found: list[dict[str, Any]], starts: list[dict[str, Any]]) -> dict[str, float] | None:
    """Mean accuracy and tokens of where these runs began; None where they began at the common start."""
    common = {side["seed"]: side for side in starts}
    if all("start" not in side or all(side["start"][f] == common[side["seed"]][f] for f in FIELDS) for side in found):
        return None
    return {field: mean(averaged([side["start"] for side in found], field).values()) for field in FIELDS}


def moved(to_plain: dict[str, Any]) -> bool | None:
    """Whether any interval against plain GRPO excludes 0; None without a common seed."""
    intervals = [to_plain[field]["interval"] for field in FIELDS]
    if None in intervals:
        return None
    return any(low > 0 or high < 0 for low, high in intervals)


def markdown(rows: list[dict[str, Any]], missing: Sequence[str] = ()) -> str:
    """The table and, under it, what it says in words; `missing`: what was asked for and is not there."""
    lines = [
        "| point | accuracy | 95 % | against the start, points | tokens | 95 % | tokens saved | seeds | |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: row["tokens"]["mean"]):
        accuracy, tokens, change = row["accuracy"], row["tokens"], row.get("to_start", {}).get("accuracy")
        lines.append(
            f"| {row['name'].replace('|', chr(92) + '|')} | {accuracy['mean']:.3f} | {span(accuracy, '.3f')} | "
            f"{points(change) if change else ''} | {tokens['mean']:.0f} | {span(tokens, '.0f')} | {saved(row)} | "
            f"{', '.join(map(str, row['seeds']))} | {note(row)} |"
        )
    return "\n".join([*lines, "", *words(rows, missing)]) + "\n"


def span(value: dict[str, Any], form: str) -> str:
    """`low to high`."""
    low, high = value["interval"]
    return f"{low:{form}} to {high:{form}}"


def points(change: dict[str, Any]) -> str:
    """A difference of accuracies in percentage points, `-1.2 [-2.9, +0.5]`."""
    if change["mean"] is None:
        return ""
    middle, low, high = (f"{100 * value:+.1f}" for value in (change["mean"], *change["interval"]))
    return f"{middle} [{low}, {high}]"


def saved(row: dict[str, Any]) -> str:
    """The share of the start's tokens that is saved."""
    change = row.get("to_start", {}).get("tokens", {}).get("mean")
    return "" if change is None else f"{-change / (row['tokens']['mean'] - change):.0%}"


def is_shorter(row: dict[str, Any]) -> bool:
    """Whether its replies take fewer tokens than the start's, beyond chance."""
    return (row.get("to_start", {}).get("tokens", {}).get("interval") or [0, 0])[1] < 0


def note(row: dict[str, Any]) -> str:
    """What stands out in a row."""
    said = {
        "on the frontier": row["front"],
        "pays with accuracy": row["pays"],
        "as plain GRPO": row["moved"] is False,
    }
    return ", ".join(words for words, holds in said.items() if holds)


def words(rows: list[dict[str, Any]], missing: Sequence[str]) -> Iterator[str]:
    """Which points are worth it, which dominate, which pay with accuracy, and which did nothing."""
    front, paying = ([row for row in rows if row[what]] for what in ("front", "pays"))
    safe = [row for row in rows if not row["pays"] and is_shorter(row)]
    if safe:
        best = min(safe, key=lambda row: row["tokens"]["mean"])
        yield (
            f"Fewest tokens at the start's accuracy (not below it beyond chance): {best['name']}, "
            f"{best['accuracy']['mean']:.3f} right in {best['tokens']['mean']:.0f} tokens ({saved(best)} saved)."
        )
    yield f"On the frontier (no other point is as right in as few tokens): {names(front)}."
    if paying:
        yield f"Less right than the start, beyond chance, so their brevity is paid for with accuracy: {names(paying)}."
    for row in front:
        if row["dominates"]:
            yield f"{row['name']} dominates {', '.join(row['dominates'])}."
    still = [row for row in rows if row["moved"] is False]
    if still:
        yield f"Cannot be told from plain GRPO, in accuracy or tokens: {names(still)}."
    elsewhere = [row for row in rows if row["own_start"]]
    if elsewhere:
        began = (f"{row['name']} ({row['own_start']['accuracy']:.3f} right)" for row in elsewhere)
        yield f"Began elsewhere than the start above, by another prompt, model or warm-up: {', '.join(began)}."
    if missing:
        yield f"Not run yet, or failed: {'; '.join(missing)}."


def names(rows: list[dict[str, Any]]) -> str:
    """`a, b, c`"""
    return ", ".join(row["name"] for row in rows)
