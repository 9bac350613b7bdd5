"""One offline HTML file per run: the verdict first, then how it went, what it wrote, and what it was made of.

The charts are drawn by uPlot (page/): 51 KB inlined, no dependencies, MIT, and they answer to a finger or a mouse as a
picture from matplotlib would not. Everything a model wrote reaches the page as packed data and is set as text, never as
markup; the page may load nothing at all, by a Content-Security-Policy of its own.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from tinyreason.atomic import write_text
from tinyreason.errors import FolderError
from tinyreason.grading.hacking_signs import SIGNS
from tinyreason.reporting.charts import charts_of
from tinyreason.reporting.payload import BUDGET_BYTES, pack, run_payload
from tinyreason.reporting.progress import tell_progress
from tinyreason.reporting.run_warnings import RunWarning, run_warnings
from tinyreason.reporting.stages import StageRow, stage_charts_of, stage_rows
from tinyreason.runs.reader import StoredRun, read_run
from tinyreason.runs.result import (
    CONTROLS,
    GRADERS_DISAGREE,
    ControlsResult,
    RunResult,
    SecondOpinion,
    SeedsResult,
    read_controls,
    read_seeds_result,
)
from tinyreason.runs.result_in_words import expected_in_words, template_check_in_words

PAGE = Path(__file__).parent / "page"
NAME = "report.html"
AS_TEXT = {"ensure_ascii": False, "default": str, "skipkeys": True}
"""Whatever YAML makes of a damaged config, such as a date, can be shown."""


def write_report(folders: list[Path], out: Path | None = None) -> Path:
    """Writes the page of these runs; the default is report.html in the run, or beside the runs where they are several.

    The folder of several seeds is one story told over all of them, and then by each of its runs.
    Errors: `FolderError` where there is no run, or the page cannot be written.
    """
    out = out or (folders[0] if len(folders) == 1 else folders[0].resolve().parent) / NAME
    stories, runs = [], []
    for folder in folders:
        if seeds := read_seeds_result(folder):
            controls = read_controls(folder) if (folder / CONTROLS).is_file() else None
            stories.append(tell_seeds(folder.resolve().name, seeds, controls))
        runs += [read_run(folder / row.folder) for row in seeds.runs] if seeds else [read_run(folder)]
    write_page(out, render_page(runs, stories))
    return out


def write_page(out: Path, text: str) -> None:
    """Writes a page, whole or not at all. Errors: `FolderError`."""
    try:
        write_text(out, text)
    except OSError as error:
        raise FolderError(
            f"cannot write {out}: {error.strerror or error}; choose another file with --out, in a folder that exists."
        ) from None


def leave_report(folder: Path, say: Callable[[str], None]) -> None:
    """Writes the page of a run that has just ended; whatever goes wrong is one line, for the result is already safe."""
    try:
        write_report([folder])
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        say(f"no report.html: {reason}; the results are whole, to try again type: tinyreason report {folder}")


def render_page(runs: list[StoredRun], over_seeds: Sequence["RunStory"] = (), nonce: str = "") -> str:
    """Returns the page's HTML: first the stories over several seeds, then those of the runs.

    `nonce`: of the scripts, where a server's policy lets only those run that have it.
    """
    charts, stage_charts = charts_of(runs), stage_charts_of(runs)
    payloads = [run_payload(run, BUDGET_BYTES // len(runs)) for run in runs]
    return render(
        "report.html.jinja",
        nonce,
        over_seeds=over_seeds,
        stories=[tell_story(run) for run in runs],
        charts=charts,
        stage_charts=stage_charts,
        runs=payloads,
        has_rollouts=any(payload["groups"] for payload in payloads),
        has_evaluation=any(payload["problems"] for payload in payloads),
        data=pack({"runs": payloads, "charts": [vars(chart) for chart in [*charts, *stage_charts]]}),
    )


def render(template: str, nonce: str = "", **values: Any) -> str:
    """Returns the HTML of one of the templates in page/, everything in it escaped."""
    written = f"{datetime.now():%Y-%m-%d %H:%M}"
    return templates().get_template(template).render(nonce=nonce, written=written, **values)


@cache
def templates():
    """Returns the templates' environment, which compiles each of them once."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGE), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters["spaced"] = lambda text: re.sub(r"(?<=\d) ?%", "\N{NO-BREAK SPACE}%", text)
    environment.globals["source"] = lambda name: jinja2.utils.markupsafe.Markup((PAGE / name).read_text("utf-8"))
    return environment


@dataclass(frozen=True)
class RunStory:
    """What the page says of one run in words, ready to print."""

    name: str
    about: str
    verdict: str
    """Its colour: `improved`, `worse`, `cannot tell`, `going`, `stopped` or `killed`."""
    headline: str
    sentence: str
    gain: str
    """In points with its interval; empty without a result."""
    sides: list[dict[str, Any]]
    """Base, before, after, and the controls: `{"label", "accuracy", "low", "high", "tone"}`, shares 0–1."""
    tiles: list[tuple[str, str, str]]
    """(what, figure, small print)."""
    notes: list[str]
    run_warnings: list[RunWarning]
    config: list[tuple[str, str]]
    environment: list[tuple[str, str]]
    command: str
    stages: list[StageRow] = field(default_factory=list)
    """The trainings, its own last; empty where that is the only one."""


def tell_story(run: StoredRun) -> RunStory:
    """Returns the story of one run."""
    config, result = run.config, run.result
    verdict, headline, sentence = tell_verdict(result) if result else tell_progress(run)
    return RunStory(
        name=run.name,
        about=what_it_is(run),
        verdict=verdict,
        headline=headline,
        sentence=sentence,
        gain=result.gain.in_words if result else "",
        sides=interval_bars(result, run.controls) if result else [],
        tiles=list(figure_tiles(result)) if result else [],
        notes=[*(reader_notes(result, run.controls) if result else ()), *(f"{trouble}." for trouble in run.troubles)],
        run_warnings=run_warnings(run),
        config=list(flat(config)),
        environment=list(flat(run.environment)),
        command=command_of(run),
        stages=stage_rows(run),
    )


def what_it_is(run: StoredRun) -> str:
    """Returns recipe, tier and what the recipe is about."""
    return " · ".join(str(run.config[key]) for key in ("recipe", "tier", "about") if run.config.get(key)) or "a run"


def command_of(run: StoredRun) -> str:
    """Returns the command line that the run was begun with."""
    return str((run.result and run.result.command) or run.environment.get("command") or "unknown")


def tell_seeds(name: str, result: SeedsResult, controls: ControlsResult | None) -> RunStory:
    """Returns the story over several seeds; its runs tell their own."""
    verdict, headline, sentence = tell_verdict(result)
    seeds = ", ".join(str(row.seed) for row in result.runs)
    missing = [str(seed) for seed in result.asked if seed not in [row.seed for row in result.runs]]
    notes = [f"Over the seeds {seeds}: every interval here has both problems and seeds in it."]
    notes += [f"Not done yet: the seeds {', '.join(missing)}."] * bool(missing)
    return RunStory(
        name=name,
        about=" · ".join(word for word in (result.recipe, result.tier, f"{len(result.runs)} seeds") if word),
        verdict=verdict,
        headline=headline,
        sentence=sentence,
        gain=result.gain.in_words,
        sides=interval_bars(result, controls),
        tiles=list(figure_tiles(result)),
        notes=[*notes, *reader_notes(result, controls)],
        run_warnings=[],
        config=[],
        environment=[],
        command=result.command or "unknown",
    )


def tell_verdict(result: RunResult) -> tuple[str, str, str]:
    """Returns (verdict, headline, sentence) in plain words."""
    points, (low, high) = result.gain.points, result.gain.interval
    facts = (
        f"{result.after.accuracy:.1%} correct on {result.after.problems:,} problems it was not trained on, "
        f"{where_it_stood(result)}. The 95 % interval of the gain is {low:+.1f} to {high:+.1f} points"
    )
    if result.verdict_reason:
        headline = f"No gain can be told: {result.verdict_reason}."
        return "cannot tell", headline, f"{facts}, which for this reason proves nothing."
    if result.verdict == GRADERS_DISAGREE:
        strictly = result.second_opinion.gain.in_words
        sentence = f"{facts}, but a stricter grader that training never sees finds {strictly}."
        return GRADERS_DISAGREE, "The graders disagree: no gain is proven.", sentence
    match result.verdict:
        case "improved":
            return "improved", f"It got better by {points:.1f} points.", f"{facts}: more than chance."
        case "worse":
            return "worse", f"It got worse by {-points:.1f} points.", f"{facts}: more than chance."
    chance = ": it includes 0, no change at all" if low <= 0 <= high else ", but by the exact test it may be chance"
    return "cannot tell", f"No gain can be told: {points:+.1f} points.", f"{facts}{chance}."


def where_it_stood(result: RunResult) -> str:
    """Returns `25.0% before`, or the figures of the adapter that was started from and of the bare base."""
    before = f"{result.before.accuracy:.1%}"
    if result.base is None:
        return f"{before} before"
    return f"{before} at the start, which is an adapter, and {result.base.accuracy:.1%} of the bare base"


def interval_bars(result: RunResult, controls: ControlsResult | None) -> list[dict[str, Any]]:
    """Returns what is shown with its interval: before, after, and the controls' after where the run has controls.

    Where the run started from an adapter the bare base comes first.
    """
    tones = ("base", "before", "after")[-len(result.sides) :]
    found = [(label, side, tone) for (label, side), tone in zip(result.sides.items(), tones, strict=True)]
    for control in controls.runs[1:] if controls else ():
        found.append((f"{control.reward} reward", control, "control"))
    return [
        {"label": label, "accuracy": side.accuracy, "low": side.interval[0], "high": side.interval[1], "tone": tone}
        for label, side, tone in found
    ]


def figure_tiles(result: RunResult) -> Iterator[tuple[str, str, str]]:
    """Yields the figures beside the verdict."""
    adapter, seconds, expected = result.adapter, result.seconds, result.expected
    tokens = f"{result.before.mean_tokens:.0f} → {result.after.mean_tokens:.0f}"
    yield "tokens per completion", tokens, "before → after"
    if adapter.trainable_parameters is not None:
        yield "trained parameters", f"{adapter.trainable_parameters:,}", f"adapter {adapter.kind}"
    if "total" in seconds:
        yield "minutes", f"{seconds['total'] / 60:.1f}", f"{seconds.get('train', 0) / 60:.1f} of them training"
    if result.peak_memory_gb:
        yield "peak memory", f"{result.peak_memory_gb:.1f} GB", f"model {result.model}"
    if expected:
        yield "expected of this tier", "met" if result.meets_expectation else "not met", expected_in_words(expected)


def reader_notes(result: RunResult, controls: ControlsResult | None) -> Iterator[str]:
    """Yields what a reader must know to trust the figures."""
    after, training = result.after, result.training
    completions = "one completion" if after.samples == 1 else f"{after.samples} completions"
    each = f"Each of the {after.problems:,} problems got {completions}"
    yield f"{each} for each seed." if result.seed is None else f"{each}; the intervals are clustered by problem."
    if opinion := result.second_opinion:
        yield (
            f"A stricter grader, which training never sees, finds {opinion.gain.in_words} points. {tell_signs(opinion)}"
        )
    if result.bit_exact is False:
        yield f"Not bit-exact: the run was resumed otherwise than it was begun, as {', '.join(result.changes)}."
    if check := result.template_check:
        words = template_check_in_words(check).rstrip(".")
        yield f"{words[0].upper()}{words[1:]}."
    if result.is_short_of_problems:
        yield f"Asked for were {result.asked_problems:,} problems, and the data holds no more for the evaluation."
    if training.problems:
        seed = "" if result.seed is None else f", seed {result.seed}"
        steps = "" if training.steps is None else f", {training.steps} steps"
        yield f"Trained on {training.problems}{steps}{seed}."
    if training.skipped_steps:
        yield f"{training.skipped_steps} of these steps were skipped, as float16 could not hold their gradient."
    if training.validation_accuracy is not None:
        yield (
            f"The adapter kept is that of step {training.kept_step}: it did best on the validation set "
            f"({training.validation_accuracy:.0%} correct), whose problems are in no comparison here."
        )
    if controls:
        yield from notes_on_controls(controls)


def tell_signs(opinion: SecondOpinion) -> str:
    """Returns the signs of reward hacking among correct completions, before and after, in a sentence."""
    before, after = opinion.signs
    if not after:
        return "No completion was correct after training."
    shares = [
        f"{after[sign]:.0%} {what} ({before.get(sign, 0):.0%} before)"
        for sign, what in SIGNS.items()
        if after[sign] or before.get(sign, 0)
    ]
    found = f"of the correct completions {', '.join(shares)}" if shares else "none in the correct completions"
    return f"Signs of reward hacking: {found}."


def notes_on_controls(controls: ControlsResult) -> Iterator[str]:
    """Yields what the same budget brought without being rewarded for correct answers."""
    for row in controls.beyond:
        low, high = row.gain.interval
        chance = "cannot be told from chance" if row.verdict == "cannot tell" else "more than chance"
        yield (
            f"Beyond the same budget with a {row.control} reward: {row.gain.points:+.1f} points, 95 % "
            f"interval {low:+.1f} to {high:+.1f}, {chance}."
        )
    if selected := controls.chosen:
        yield (
            f"The controls see no correct answer, so they keep their last step. The run's step {selected.step} was "
            f"selected on the validation set: {selected.accuracy:.1%} correct there, {selected.last_accuracy:.1%} at "
            f"its last step."
        )


def flat(values: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yields (path.to.key, value) of every value that is set, as they are typed on the command line."""
    for key, value in values.items():
        where = f"{path}{key}"
        if isinstance(value, dict) and value:
            yield from flat(value, f"{where}.")
        elif value is not None:
            yield where, value if isinstance(value, str) else json.dumps(without_none(value), **AS_TEXT)


def without_none(value: Any) -> Any:
    """Returns a list or object less what is not set in it."""
    if isinstance(value, dict):
        return {key: without_none(one) for key, one in value.items() if one is not None}
    return [without_none(one) for one in value] if isinstance(value, list) else value
