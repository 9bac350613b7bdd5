"""The picture of a sweep: accuracy against tokens, with intervals, every point named.

The names stand in a row above the picture, in the order of the tokens, each joined to its point by a line: points that
lie on each other could not be told apart by names beside them.
"""

from pathlib import Path

from tinyreason.reporting.sweep_table import BASELINE, PLAIN, SAID, Estimate, SweepRow

FRONT, OTHER, MARKED = "tab:blue", "dimgray", "black"
MARKERS = {BASELINE: "s", PLAIN: "D"}
NAMES = SAID | {PLAIN: "plain GRPO"}
BETWEEN_NAMES = 0.024
"""Of the picture's width, at least."""


def draw_sweep(rows: list[SweepRow], stem: Path) -> None:
    """Writes `stem`.svg and `stem`.png: the baseline a square, plain GRPO a diamond, the frontier joined in colour."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(11, 8), layout="constrained")
    rows = sorted(rows, key=place)
    for row in rows:
        mark_point(axes, row)
    front = [place(row) for row in rows if row.front]
    axes.plot(*zip(*front, strict=True), color=FRONT, linewidth=1.5, alpha=0.4, zorder=1)
    axes.margins(0.04)
    low, high = axes.get_xlim()
    wanted = [(row.tokens.mean - low) / (high - low) for row in rows]
    for row, right in zip(rows, spaced(wanted, BETWEEN_NAMES), strict=True):
        write_name(axes, row, right)
    axes.set_xlabel("mean tokens per completion")
    axes.set_ylabel("accuracy, %")
    axes.grid(alpha=0.2)
    figure.text(0.01, -0.03, legend(rows), fontsize=9, color=OTHER)
    for suffix in (".svg", ".png"):
        figure.savefig(stem.with_suffix(suffix), dpi=150, bbox_inches="tight")
    pyplot.close(figure)


def mark_point(axes, row: SweepRow) -> None:
    """Draws a point with its intervals."""
    x, y = place(row)
    axes.errorbar(
        [x],
        [y],
        xerr=arms(x, row.tokens),
        yerr=arms(y, row.accuracy, 100),
        fmt=MARKERS.get(row.name, "o"),
        color=colour(row),
        markerfacecolor="white" if row.pays else colour(row),
        elinewidth=0.7,
        markersize=6,
        zorder=3 if colour(row) == OTHER else 4,
    )


def write_name(axes, row: SweepRow, right: float) -> None:
    """Writes a point's name above the picture, so far to the right, 0–1, and draws the line to the point."""
    own = colour(row)
    line = {"arrowstyle": "-", "color": own, "linewidth": 0.5, "alpha": 0.5, "shrinkA": 0, "relpos": (0, 0)}
    axes.annotate(
        NAMES.get(row.name, row.name),
        place(row),
        xytext=(right, 1.02),
        textcoords="axes fraction",
        rotation=60,
        rotation_mode="anchor",
        fontsize=9,
        fontweight="normal" if own == OTHER else "bold",
        color=own,
        parse_math=False,
        arrowprops=line,
    )


def place(row: SweepRow) -> tuple[float, float]:
    """Returns (tokens, accuracy in %)."""
    return row.tokens.mean, 100 * row.accuracy.mean


def colour(row: SweepRow) -> str:
    """Returns the frontier's colour, that of what it is compared with, or that of the others."""
    return FRONT if row.front else MARKED if row.name in MARKERS else OTHER


def legend(rows: list[SweepRow]) -> str:
    """Returns what the marks mean, of those that are in the picture."""
    said = ["blue: no other point is as correct in as few tokens", "bars: 95 % intervals over problems"]
    if any(row.pays for row in rows):
        said.insert(1, "hollow: less correct than the baseline, beyond chance")
    return "   ".join(said)


def spaced(wanted: list[float], gap: float) -> list[float]:
    """Returns places from 0 to 1 in the order of `wanted`, near it, and `gap` apart where there is room for that."""
    gap = min(gap, 1 / max(1, len(wanted) - 1))
    placed: list[float] = []
    for place in wanted:
        placed.append(max(place, placed[-1] + gap) if placed else max(place, 0.0))
    most = 1.0
    for number in reversed(range(len(placed))):
        placed[number] = min(placed[number], most)
        most = placed[number] - gap
    return placed


def arms(middle: float, value: Estimate, unit: float = 1) -> list[list[float]]:
    """Returns [[down], [up]] from the middle to the ends of the interval in `unit`, as matplotlib wants them."""
    low, high = (unit * end for end in value.interval)
    return [[max(0.0, middle - low)], [max(0.0, high - middle)]]
