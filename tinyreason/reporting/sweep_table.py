"""The table of a sweep: accuracy and tokens with intervals, which points dominate and which did nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import mean
from typing import Any

from tinyreason.intervals import Values, averaged, difference_interval, over_seeds, share_interval

BASELINE = "start"
"""The row that all others are compared with, as frontier.json names it: the model before training."""
PLAIN = "correctness"
"""The row of GRPO on correctness alone."""
COLUMNS = (
    *("point", "accuracy", "95 %", "against the baseline, points", "by the second grader"),
    *("tokens", "95 %", "tokens saved", "seeds"),
)
SAID = {BASELINE: "baseline"}
"""A row's name → what people read; the others are read as they are."""


@dataclass(frozen=True)
class ProblemMeans:
    """Of one evaluation, each problem's means over its completions, by problem id; accuracy is 0–1."""

    accuracy: Values
    tokens: Values
    strict: Values
    """Accuracy by the second grader, which training never sees."""


@dataclass(frozen=True)
class SeedFigures:
    """What one seed of a point reached, and where it began."""

    seed: int
    means: ProblemMeans
    baseline: ProblemMeans | None = None


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval; both None where nothing could be compared."""

    mean: float | None
    interval: list[float] | None


@dataclass(frozen=True)
class Change:
    """A paired difference."""

    accuracy: Estimate
    tokens: Estimate
    strict: Estimate
    """Of the accuracy by the second grader."""


@dataclass(frozen=True)
class SweepRow:
    """One point over its seeds; every interval has both problems and seeds in it."""

    name: str
    seeds: list[int]
    accuracy: Estimate
    tokens: Estimate
    to_start: Change | None
    """Against the baseline, on the seeds and problems both have."""
    to_plain: Change | None
    """Against plain GRPO."""
    front: bool = False
    """No other point is both as correct and as short."""
    dominates: list[str] = field(default_factory=list)
    moved: bool | None = None
    """Accuracy or tokens differ from plain GRPO's, the interval excluding 0; None for plain GRPO and the baseline."""
    pays: bool = False
    """Accuracy is below the baseline's, the interval of the difference excluding 0."""
    graders_disagree: bool = False
    """The 95 % intervals of the two graders' gains over the baseline do not meet."""
    own_start: dict[str, float] | None = None
    """Where it began, if that is not the common baseline (another prompt, model or warm-up)."""

    def as_json(self) -> dict[str, Any]:
        """Returns what frontier.json holds of it: a comparison that is not there has no key."""
        absent = {key for key in ("to_start", "to_plain") if getattr(self, key) is None}
        return {key: value for key, value in asdict(self).items() if key not in absent}


def sweep_rows(points: dict[str, list[SeedFigures]]) -> list[SweepRow]:
    """Returns a row per point, the baseline first; a point is compared on the seeds and problems both have."""
    rows = []
    for name, found in points.items():
        to_start, to_plain = (
            change(found, points[other]) if name != other and points.get(other) else None for other in (BASELINE, PLAIN)
        )
        accuracy = Estimate(*over_seeds([one.means.accuracy for one in found], share_interval, within=(0.0, 1.0)))
        tokens = Estimate(*over_seeds([one.means.tokens for one in found], difference_interval))
        rows.append(SweepRow(name, sorted(side.seed for side in found), accuracy, tokens, to_start, to_plain))
    rows = [replace(row, graders_disagree=disagree(row.to_start)) for row in rows]
    trained = [row for row in rows if row.name != BASELINE]
    believed = [row for row in trained if not row.graders_disagree]
    return [
        replace(
            row,
            front=row in believed and not any(dominates(other, row) for other in believed),
            dominates=[other.name for other in trained if row in believed and dominates(row, other)],
            moved=moved(row.to_plain) if row.to_plain and row in trained else None,
            pays=row.to_start is not None and (row.to_start.accuracy.interval or [0, 0])[1] < 0,
            own_start=own_start(points[row.name], points[BASELINE]),
        )
        for row in rows
    ]


def disagree(to_start: Change | None) -> bool:
    """Returns whether the two graders' gains have no value in common that neither interval excludes."""
    if to_start is None or to_start.accuracy.interval is None:
        return False
    (low, high), (strict_low, strict_high) = to_start.accuracy.interval, to_start.strict.interval
    return max(low, strict_low) > min(high, strict_high)


def change(found: list[SeedFigures], others: list[SeedFigures]) -> Change:
    """Returns how far a point is from another one, on the seeds and problems both have."""
    theirs = {side.seed: side.means for side in others}
    pairs = [(side.means, theirs[side.seed]) for side in found if side.seed in theirs]
    return Change(
        accuracy=difference([(one.accuracy, other.accuracy) for one, other in pairs], within=(-1.0, 1.0)),
        tokens=difference([(one.tokens, other.tokens) for one, other in pairs]),
        strict=difference([(one.strict, other.strict) for one, other in pairs], within=(-1.0, 1.0)),
    )


def difference(pairs: list[tuple[Values, Values]], within: tuple[float, float] | None = None) -> Estimate:
    """Returns the mean difference, paired by seed and problem, with its interval."""
    gaps = [{problem: one[problem] - other[problem] for problem in one if problem in other} for one, other in pairs]
    gaps = [gap for gap in gaps if gap]
    return Estimate(*over_seeds(gaps, difference_interval, within)) if gaps else Estimate(None, None)


def dominates(one: SweepRow, other: SweepRow) -> bool:
    """Returns whether `one` is at least as correct in at most as many tokens, and better in one of the two."""
    gained = one.accuracy.mean - other.accuracy.mean
    saved = other.tokens.mean - one.tokens.mean
    return gained >= 0 and saved >= 0 and gained + saved > 0


def own_start(found: list[SeedFigures], baselines: list[SeedFigures]) -> dict[str, float] | None:
    """Returns mean accuracy and tokens of where these runs began; None where they began at the common baseline."""
    common = {side.seed: side.means for side in baselines}
    if all(side.baseline is None or side.baseline == common[side.seed] for side in found):
        return None
    began = {
        "accuracy": [side.baseline.accuracy for side in found],
        "tokens": [side.baseline.tokens for side in found],
    }
    return {name: mean(averaged(seeds).values()) for name, seeds in began.items()}


def moved(to_plain: Change) -> bool | None:
    """Returns whether any interval against plain GRPO excludes 0; None without a common seed."""
    intervals = [to_plain.accuracy.interval, to_plain.tokens.interval]
    if None in intervals:
        return None
    return any(low > 0 or high < 0 for low, high in intervals)


def sweep_markdown(rows: list[SweepRow], missing: Sequence[str] = (), changed: Sequence[str] = ()) -> str:
    """Returns the table and, under it, what it says in words.

    `missing`: runs that were asked for and are not there; `changed`: those resumed otherwise than begun.
    """
    lines = [f"| {' | '.join(COLUMNS)} | |", "|---" * (len(COLUMNS) + 1) + "|"]
    for row in sorted(rows, key=lambda row: row.tokens.mean):
        to_start = row.to_start
        cells = (
            *(said_name(row).replace("|", chr(92) + "|"), f"{row.accuracy.mean:.3f}", span(row.accuracy, ".3f")),
            *(points_change(to_start and to_start.accuracy), points_change(to_start and to_start.strict)),
            *(f"{row.tokens.mean:.0f}", span(row.tokens, ".0f"), saved_share(row), ", ".join(map(str, row.seeds))),
        )
        lines.append(f"| {' | '.join(cells)} | {remark(row)} |")
    return "\n".join([*lines, "", *sentences(rows, missing, changed)]) + "\n"


def said_name(row: SweepRow) -> str:
    """Returns the row's name as people read it."""
    return SAID.get(row.name, row.name)


def span(value: Estimate, form: str) -> str:
    """Returns `low to high`."""
    low, high = value.interval
    return f"{low:{form}} to {high:{form}}"


def points_change(change: Estimate | None) -> str:
    """Returns a difference of accuracies in percentage points, `-1.2 [-2.9, +0.5]`."""
    if change is None or change.mean is None:
        return ""
    middle, low, high = (f"{100 * value:+.1f}" for value in (change.mean, *change.interval))
    return f"{middle} [{low}, {high}]"


def saved_share(row: SweepRow) -> str:
    """Returns the share of the baseline's tokens that is saved."""
    change = row.to_start and row.to_start.tokens.mean
    return "" if change is None else f"{-change / (row.tokens.mean - change):.0%}"


def is_shorter(row: SweepRow) -> bool:
    """Returns whether its completions take fewer tokens than the baseline's, beyond chance."""
    return row.to_start is not None and (row.to_start.tokens.interval or [0, 0])[1] < 0


def remark(row: SweepRow) -> str:
    """Returns what stands out in a row."""
    said = {
        "on the frontier": row.front,
        "pays with accuracy": row.pays,
        "as plain GRPO": row.moved is False,
        "graders disagree": row.graders_disagree,
    }
    return ", ".join(text for text, holds in said.items() if holds)


def sentences(rows: list[SweepRow], missing: Sequence[str], changed: Sequence[str]) -> Iterator[str]:
    """Yields which points are worth it, which dominate, which pay with accuracy, and which did nothing."""
    front, paying = [row for row in rows if row.front], [row for row in rows if row.pays]
    safe = [row for row in rows if not row.pays and not row.graders_disagree and is_shorter(row)]
    if safe:
        best = min(safe, key=lambda row: row.tokens.mean)
        yield (
            f"Fewest tokens at the baseline's accuracy (not below it beyond chance): {best.name}, "
            f"{best.accuracy.mean:.3f} correct in {best.tokens.mean:.0f} tokens ({saved_share(best)} saved)."
        )
    yield f"On the frontier (no other point is as correct in as few tokens): {listing(front)}."
    if paying:
        yield (
            f"Less correct than the baseline, beyond chance, so their brevity is paid for with accuracy: "
            f"{listing(paying)}."
        )
    for row in front:
        if row.dominates:
            yield f"{row.name} dominates {', '.join(row.dominates)}."
    hacked = [row for row in rows if row.graders_disagree]
    if hacked:
        yield (
            f"The second grader, which training never sees, finds another gain, so the accuracy may be reward hacking, "
            f"and these are not on the frontier: {listing(hacked)}."
        )
    still = [row for row in rows if row.moved is False]
    if still:
        yield f"Cannot be told from plain GRPO, in accuracy or tokens: {listing(still)}."
    elsewhere = [row for row in rows if row.own_start]
    if elsewhere:
        began = (f"{row.name} ({row.own_start['accuracy']:.3f} correct)" for row in elsewhere)
        yield f"Began elsewhere than the baseline above, by another prompt, model or warm-up: {', '.join(began)}."
    if missing:
        yield f"Not run yet, or failed: {'; '.join(missing)}."
    if changed:
        yield f"Not bit-exact, as they were resumed otherwise than begun: {'; '.join(changed)}."


def listing(rows: list[SweepRow]) -> str:
    """Returns `a, b, c`."""
    return ", ".join(row.name for row in rows)
