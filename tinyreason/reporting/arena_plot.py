"""The arena's picture: each method's difference to plain GRPO with its interval, sorted."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinyreason.reporting.arena_table import ArenaRow

TOLD, UNTOLD = "tab:blue", "dimgray"


def draw_arena(rows: "list[ArenaRow]", path: Path) -> None:
    """Writes the picture, blue what can be told from plain GRPO; nothing where nothing is compared."""
    compared = [row for row in rows if row.to_plain and row.to_plain.interval][::-1]
    if not compared:
        return
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "arena"  # else every picture differs
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 1.2 + 0.2 * len(compared)), layout="constrained")
    for place, row in enumerate(compared):
        low, high = row.to_plain.interval
        colour = TOLD if "better" in row.said or "worse" in row.said else UNTOLD
        axes.plot([low, high], [place, place], color=colour, linewidth=1)
        axes.plot([row.to_plain.mean], [place], "o", color=colour, markersize=4)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(compared)), [row.name for row in compared], fontsize=8)
    axes.set_ylim(-1, len(compared))
    axes.set_xlabel("accuracy less plain training's of the same seeds, points")
    axes.grid(axis="x", alpha=0.2)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
