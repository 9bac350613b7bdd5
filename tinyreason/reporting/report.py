"""One offline HTML file per run: the verdict first, then how it went, what it said, and what it was made of.

The charts are drawn by uPlot (page/): 51 KB inlined, no dependencies, MIT, and they answer to a finger or a mouse as a
picture from matplotlib would not. Everything a model wrote reaches the page as packed data and is set as text, never as
markup; the page may load nothing at all, by a Content-Security-Policy of its own.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tinyreason.errors import FolderError
from tinyreason.reporting.charts import draw
from tinyreason.reporting.payload import BUDGET_BYTES, browsable, pack
from tinyreason.reporting.run_warnings import RunWarning, run_warnings
from tinyreason.runs.reader import StoredRun, read_run

PAGE = Path(__file__).parent / "page"
NAME = "report.html"
AS_TEXT = {"ensure_ascii": False, "default": str, "skipkeys": True}
"""whatever YAML makes of a damaged config, such as a date, can be shown"""


def write_report(folders: list[Path], out: Path | None = None) -> Path:
    """Writes the page of these runs; the default is report.html in the run, or beside the runs where they are several.

    Errors: `FolderError` where there is no run, or the page cannot be written.
    """
    records = [read_run(folder) for folder in folders]
    out = out or (folders[0] if len(folders) == 1 else folders[0].resolve().parent) / NAME
    text = page(records)
    beside = out.with_name(f".{out.name}.part")
    try:
        beside.write_text(text, encoding="utf-8", errors="backslashreplace")
        beside.replace(out)
    except OSError as error:
        raise FolderError(
            f"cannot write {out}: {error.strerror or error}; choose another file with --out, in a folder that exists."
        ) from None
    return out


def leave_report(folder: Path, say: Callable[[str], None]) -> None:
    """Writes the page of a run that has just ended; whatever goes wrong is one line, for the result is already safe."""
    try:
        write_report([folder])
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        say(f"no report.html: {reason}; the results are whole, to try again type: tinyreason report {folder}")


def page(records: list[StoredRun]) -> str:
    """The page's HTML."""
    import jinja2

    charts = draw(records)
    runs = [browsable(record, BUDGET_BYTES // len(records)) for record in records]
    data = {"runs": runs, "charts": [vars(chart) for chart in charts]}
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGE), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters["spaced"] = lambda text: re.sub(r"(?<=\d) ?%", "\N{NO-BREAK SPACE}%", text)
    environment.globals["source"] = lambda name: jinja2.utils.markupsafe.Markup((PAGE / name).read_text("utf-8"))
    return environment.get_template("report.html.jinja").render(
        stories=[tell(record) for record in records],
        charts=charts,
        runs=runs,
        has_rollouts=any(run["groups"] for run in runs),
        has_replies=any(run["replies"] for run in runs),
        data=pack(data),
        written=f"{datetime.now():%Y-%m-%d %H:%M}",
    )


@dataclass(frozen=True)
class Story:
    """What the page says of one run in words, ready to print."""

    name: str
    about: str
    verdict: str
    """improved · worse · cannot tell · going · stopped: the colour"""
    headline: str
    sentence: str
    gain: str
    """in points with its interval; empty without a result"""
    sides: list[dict[str, Any]]
    """before, after, and the controls: `{"label", "accuracy", "low", "high", "tone"}`, fractions"""
    tiles: list[tuple[str, str, str]]
    """(what, figure, small print)"""
    notes: list[str]
    run_warnings: list[RunWarning]
    config: list[tuple[str, str]]
    environment: list[tuple[str, str]]
    command: str


def tell(record: StoredRun) -> Story:
    """The story of one run."""
    config, result = record.config, record.result
    verdict, headline, sentence = conclude(record)
    return Story(
        name=record.name,
        about=" · ".join(str(config[key]) for key in ("recipe", "tier", "about") if config.get(key)) or "a run",
        verdict=verdict,
        headline=headline,
        sentence=sentence,
        gain=gain(result) if result else "",
        sides=sides(record),
        tiles=tiles(result) if result else [],
        notes=[*notes(record), *(f"{trouble}." for trouble in record.troubles)],
        run_warnings=run_warnings(record),
        config=list(flat(config)),
        environment=list(flat(record.environment)),
        command=str((result or {}).get("command") or record.environment.get("command") or "unknown"),
    )


def conclude(record: StoredRun) -> tuple[str, str, str]:
    """(verdict, headline, sentence) in plain words; of a run without a result, how far it is."""
    result = record.result
    if result is None:
        return unfinished(record)
    before, after, points = result["before"], result["after"], result["gain"]["points"]
    low, high = result["gain"]["interval"]
    facts = (
        f"Right on {after['accuracy']:.1%} of {after['problems']:,} problems it was not trained on, "
        f"{before['accuracy']:.1%} before. The 95 % interval of the gain is {low:+.1f} to {high:+.1f} points"
    )
    match result["verdict"]:
        case "improved":
            return "improved", f"It got better by {points:.1f} points.", f"{facts}: more than chance."
        case "worse":
            return "worse", f"It got worse by {-points:.1f} points.", f"{facts}: more than chance."
    return "cannot tell", f"No gain can be told: {points:+.1f} points.", f"{facts}: it includes 0, no change at all."


def gain(result: dict[str, Any]) -> str:
    """+40.0 [+35.0, +45.0]"""
    low, high = result["gain"]["interval"]
    return f"{result['gain']['points']:+.1f} [{low:+.1f}, {high:+.1f}]"


def unfinished(record: StoredRun) -> tuple[str, str, str]:
    """The same of a run that has no result."""
    total = (record.config.get("train") or {}).get("max_steps", "?")
    where = f"step {record.steps} of {total}"
    if record.state == "going":
        return (
            "going",
            f"Still going: {where}." if record.steps else "Still going: no step done yet.",
            f"Nothing is concluded yet; this is what there was when the page was written. For a newer one type: "
            f"tinyreason report {record.path}",
        )
    when = f"{datetime.fromtimestamp(record.last_written):%Y-%m-%d %H:%M}"
    headline = f"Not finished: it stopped after {where}." if record.steps else "Not finished: it stopped before step 1."
    return "stopped", headline, f"There is no result to conclude from; the run last wrote something on {when}."


def sides(record: StoredRun) -> list[dict[str, Any]]:
    """What is drawn with its interval: before, after, and the controls' after where the run has controls."""
    if record.result is None:
        return []
    found = [("before", record.result["before"], "before"), ("after", record.result["after"], "after")]
    for control in record.controls["runs"][1:] if record.controls else ():
        found.append((f"{control['reward']} reward", control, "control"))
    return [
        {"label": label, "accuracy": side["accuracy"], "low": side["interval"][0], "high": side["interval"][1]}
        | {"tone": tone}
        for label, side, tone in found
    ]


def tiles(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The figures beside the verdict."""
    before, after = result["before"], result["after"]
    adapter, seconds = result.get("adapter") or {}, result.get("seconds") or {}
    found = [("tokens a reply", f"{before['mean_tokens']:.0f} → {after['mean_tokens']:.0f}", "before → after")]
    if "trainable_parameters" in adapter:
        found.append(("trained parameters", f"{adapter['trainable_parameters']:,}", f"adapter {adapter.get('kind')}"))
    if "total" in seconds:
        training = f"{seconds.get('train', 0) / 60:.1f} of them training"
        found.append(("minutes", f"{seconds['total'] / 60:.1f}", training))
    if result.get("peak_memory_gb"):
        found.append(("peak memory", f"{result['peak_memory_gb']:.1f} GB", f"model {result.get('model')}"))
    if result.get("expected"):
        wanted = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in result["expected"].items())
        found.append(("expected of this tier", "met" if result.get("meets_expectation") else "not met", wanted))
    return found


def notes(record: StoredRun):
    """What a reader must know to trust the figures."""
    result = record.result
    if result is None:
        return
    after, training = result["after"], result.get("training") or {}
    replies = "one reply" if after["samples"] == 1 else f"{after['samples']} replies"
    yield f"Each of the {after['problems']:,} problems got {replies}; the intervals are clustered by problem."
    if training.get("problems"):
        steps = training.get("steps", record.steps)
        yield f"Trained on {training['problems']}, {steps} steps, seed {result.get('seed')}."
    if training.get("validation_accuracy") is not None:
        yield (
            f"The adapter kept is that of step {training['kept_step']}: it did best on held-out problems "
            f"({training['validation_accuracy']:.0%} of them right), which are in no comparison here."
        )
    if record.controls:
        yield from notes_on_controls(record.controls)


def notes_on_controls(controls: dict[str, Any]):
    """What the same budget brought without being rewarded for right answers."""
    for row in controls["beyond"]:
        low, high = row["gain"]["interval"]
        chance = "includes 0" if row["verdict"] == "cannot tell" else "more than chance"
        yield (
            f"Beyond the same budget with a {row['control']} reward: {row['gain']['points']:+.1f} points, 95 % "
            f"interval {low:+.1f} to {high:+.1f}, {chance}."
        )
    if chosen := controls["chosen"]:
        yield (
            f"The controls know no right answer and keep their last step. The run's step {chosen['step']} was chosen "
            f"by held-out problems: {chosen['accuracy']:.1%} of them right there, {chosen['last_accuracy']:.1%} at its "
            f"last."
        )


def flat(values: dict[str, Any], path: str = ""):
    """(path.to.key, value) of every value that is set, as they are typed on the command line."""
    for key, value in values.items():
        where = f"{path}{key}"
        if isinstance(value, dict) and value:
            yield from flat(value, f"{where}.")
        elif value is not None:
            yield where, value if isinstance(value, str) else json.dumps(without_none(value), **AS_TEXT)


def without_none(value: Any) -> Any:
    """A list or object less what is not set in it."""
    if isinstance(value, dict):
        return {key: without_none(one) for key, one in value.items() if one is not None}
    return [without_none(one) for one in value] if isinstance(value, list) else value
