"""The arena's picture: each method's difference to plain training with its interval, in accuracy and in tokens."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinyreason.reporting.arena_table import ArenaRow, Difference

TOLD, UNTOLD = "tab:blue", "dimgray"


def draw_arena(rows: "list[ArenaRow]", path: Path) -> None:
    """Writes the picture, blue what can be told from plain training; nothing where nothing is compared."""
    compared = [row for row in rows if row.to_plain and row.to_plain.interval][::-1]
    if not compared:
        return
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "arena"  # else every picture differs
    from matplotlib import pyplot

    size = (11, 1.4 + 0.2 * len(compared))
    figure, (of_accuracy, of_tokens) = pyplot.subplots(1, 2, sharey=True, figsize=size, layout="constrained")
    draw_differences(of_accuracy, [row.to_plain for row in compared], "accuracy, points")
    draw_differences(of_tokens, [row.tokens_to_plain for row in compared], "tokens of a completion")
    of_accuracy.set_yticks(range(len(compared)), [row.name for row in compared], fontsize=8)
    of_accuracy.set_ylim(-1, len(compared))
    figure.supxlabel("less plain training's of the same seeds, at 95 % for all methods at once", fontsize=9)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def draw_differences(axes, differences: "list[Difference | None]", what: str) -> None:
    """Draws one difference a line, from the bottom up."""
    from tinyreason.reporting.arena_table import is_told

    for place, one in enumerate(differences):
        if one is None or one.interval is None:
            continue
        colour = TOLD if is_told(one) else UNTOLD
        axes.plot(one.interval, [place, place], color=colour, linewidth=1)
        axes.plot([one.mean], [place], "o", color=colour, markersize=4)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel(what)
    axes.grid(axis="x", alpha=0.2)
