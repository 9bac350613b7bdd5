"""A result as a notebook shows it: the verdict, the gain and a small table, in HTML without styles of its own."""

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinyreason.runs.result import RunResult


def result_html(result: "RunResult") -> str:
    """Returns the verdict with its gain and interval, then each side's accuracy and tokens, as an HTML fragment."""
    sides, (low, high) = result.sides.values(), result.gain.interval
    title = escape(" on ".join(word for word in (result.recipe, result.tier) if word) or "run")
    gain = f"{result.gain.points:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}"
    rows = [
        row("", *map(escape, result.sides), tag="th"),
        row("accuracy", *(f"{side.accuracy:.1%}" for side in sides)),
        row("95 % interval", *(f"{side.interval[0]:.1%} to {side.interval[1]:.1%}" for side in sides)),
        row("tokens per completion", *(f"{side.mean_tokens:.0f}" for side in sides)),
    ]
    lines = [f"{result.after.problems} unseen problems, {result.after.samples} completions each"]
    if seeds := getattr(result, "runs", None):
        lines.append(f"over {len(seeds)} seeds, which are in the intervals too")
    if opinion := result.second_opinion:
        lines.append(f"by a grader that training never sees: {opinion.gain.in_words} points, {opinion.verdict}")
    if result.tokens:
        lines.append(f"tokens {result.tokens.change:+.0%}")
    if result.meets_expectation is not None:
        lines.append(f"what the tier expects: {'met' if result.meets_expectation else 'not met'}")
    if result.bit_exact is False:
        lines.append(f"not bit-exact: {', '.join(result.changes)}")
    reason = f"<p>{escape(result.verdict_reason)}</p>" if result.verdict_reason else ""
    return (
        f"<div><p><b>{title}: {escape(result.verdict)}</b>, {gain}</p>{reason}"
        f"<table>{''.join(rows)}</table><p><small>{escape(' · '.join(lines))}</small></p></div>"
    )


def row(name: str, *cells: str, tag: str = "td") -> str:
    """Returns a row of the table."""
    return f"<tr><th>{name}</th>{''.join(f'<{tag}>{cell}</{tag}>' for cell in cells)}</tr>"
