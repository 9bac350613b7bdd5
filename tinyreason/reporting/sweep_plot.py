"""The picture of a frontier: accuracy against tokens, with intervals, every point named.

The names stand in a row above the picture, in the order of the tokens, each joined to its point by a line: points that
lie on each other could not be told apart by names beside them.
"""

from pathlib import Path
from typing import Any

FRONT, OTHER, MARKED = "tab:blue", "dimgray", "black"
MARKERS = {"start": "s", "correctness": "D"}
NAMES = {"correctness": "plain GRPO"}
BETWEEN_NAMES = 0.024
"""of the picture's width, at least"""


def draw(rows: list[dict[str, Any]], stem: Path) -> None:
    """Writes `stem`.svg and `stem`.png: the start a square, plain GRPO a diamond, the frontier in colour and joined."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(11, 8), layout="constrained")
    rows = sorted(rows, key=place)
    for row in rows:
        mark(axes, row)
    front = [place(row) for row in rows if row["front"]]
    axes.plot(*zip(*front, strict=True), color=FRONT, linewidth=1.5, alpha=0.4, zorder=1)
    axes.margins(0.04)
    low, high = axes.get_xlim()
    wanted = [(row["tokens"]["mean"] - low) / (high - low) for row in rows]
    for row, right in zip(rows, spread(wanted, BETWEEN_NAMES), strict=True):
        name(axes, row, right)
    axes.set_xlabel("mean tokens a reply")
    axes.set_ylabel("accuracy, %")
    axes.grid(alpha=0.2)
    figure.text(0.01, -0.03, legend(rows), fontsize=9, color=OTHER)
    for suffix in (".svg", ".png"):
        figure.savefig(stem.with_suffix(suffix), dpi=150, bbox_inches="tight")
    pyplot.close(figure)


def mark(axes, row: dict[str, Any]) -> None:
    """A point with its intervals."""
    x, y = place(row)
    axes.errorbar(
        [x],
        [y],
        xerr=arms(x, row["tokens"]["interval"]),
        yerr=arms(y, [100 * end for end in row["accuracy"]["interval"]]),
        fmt=MARKERS.get(row["name"], "o"),
        color=colour(row),
        markerfacecolor="white" if row["pays"] else colour(row),
        elinewidth=0.7,
        markersize=6,
        zorder=3 if colour(row) == OTHER else 4,
    )


def name(axes, row: dict[str, Any], right: float) -> None:
    """A point's name above the picture, so far to the right, 0–1, with the line to the point."""
    own = colour(row)
    line = {"arrowstyle": "-", "color": own, "linewidth": 0.5, "alpha": 0.5, "shrinkA": 0, "relpos": (0, 0)}
    axes.annotate(
        NAMES.get(row["name"], row["name"]),
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


def place(row: dict[str, Any]) -> tuple[float, float]:
    """(tokens, accuracy in %)"""
    return row["tokens"]["mean"], 100 * row["accuracy"]["mean"]


def colour(row: dict[str, Any]) -> str:
    """The frontier's, that of what it is held against, or that of the others."""
    return FRONT if row["front"] else MARKED if row["name"] in MARKERS else OTHER


def legend(rows: list[dict[str, Any]]) -> str:
    """What the marks mean, of those that are in the picture."""
    said = ["blue: no other point is as right in as few tokens", "bars: 95 % intervals over problems"]
    if any(row["pays"] for row in rows):
        said.insert(1, "hollow: less right than the start, beyond chance")
    return "   ".join(said)


def spread(wanted: list[float], gap: float) -> list[float]:
    """Places from 0 to 1 in the order of `wanted`, near it, and `gap` apart where there is room for that."""
    gap = min(gap, 1 / max(1, len(wanted) - 1))
    placed: list[float] = []
    for place in wanted:
        placed.append(max(place, placed[-1] + gap) if placed else max(place, 0.0))
    most = 1.0
    for number in reversed(range(len(placed))):
        placed[number] = min(placed[number], most)
        most = placed[number] - gap
    return placed


def arms(middle: float, interval: list[float]) -> list[list[float]]:
    """[[down], [up]] from the middle to the ends of its interval, as matplotlib wants them."""
    return [[max(0.0, middle - interval[0])], [max(0.0, interval[1] - middle)]]
