"""What the person sees: plain lines, one live line while something long goes on, and the table at the end."""

import logging
import os
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import RichConsole as RichConsole
from rich.live import Live as LiveView
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from tinyreason.config.run_config import RunConfig
from tinyreason.models.hardware import ComputeSettings


def quiet_libraries(offline: bool) -> None:
    """What libraries say goes to the run's log.txt, not to the screen. Call it before they are imported."""
    os.environ |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    os.environ["HF_HUB_VERBOSITY"] = "error"  # else it tells of each attempt to reach the hub
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
    logging.captureWarnings(True)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it warns of a cast at every int8 product


class Console:
    """Writes to the terminal; where there is none (a log, a pipe), the live line becomes a line now and then."""

    def __init__(self, rich: RichConsole | None = None, stderr: bool = False):
        self.rich = rich or RichConsole(highlight=False, soft_wrap=True, stderr=stderr)
        if not self.rich.is_terminal:
            self.rich.width = 1000

    def say(self, text: str) -> None:
        self.rich.print(text, markup=False)

    @contextmanager
    def live(self, what: str, total: int, done: int = 0) -> Iterator["Live"]:
        """A live line for `total` units of work, `done` of them before; its time left is measured, not guessed."""
        if not self.rich.is_terminal:
            yield PlainLive(self, what, total, done)
            return
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.completed}/{task.total} {task.fields[note]}", markup=False),
            TimeRemainingColumn(),
            TextColumn("left"),
        )
        with Progress(*columns, rich=self.rich, transient=True) as progress:
            yield Live(progress, progress.add_task(what, total=total, completed=done, note=""))

    @contextmanager
    def replies(self, titles: tuple[str, ...]) -> Iterator["Replies"]:
        """A place for replies as they are written: several side by side on a terminal, else one after the other."""
        if len(titles) == 1 or not self.rich.is_terminal:
            replies = Replies(self.rich, titles)
            yield replies
            replies.end()
            return
        columns = Columns(titles)
        with LiveView(columns.table(), rich=self.rich, refresh_per_second=8, transient=True) as view:
            columns.view = view
            yield columns
        self.rich.print(columns.table())

    def table(self, rows: list[tuple[str, ...]], header: tuple[str, ...]) -> None:
        table = Table(*header, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*row)
        self.rich.print(table, markup=False)


def printable(text: str) -> str:
    """The text without control characters: what a model writes must not steer the terminal."""
    return "".join(c if c in "\n\t" or unicodedata.category(c) != "Cc" else "\N{REPLACEMENT CHARACTER}" for c in text)


class Replies:
    """Replies one after the other, each under its title where there are several."""

    def __init__(self, rich: RichConsole, titles: tuple[str, ...]):
        self.rich, self.titles, self.at = rich, titles, None

    def write(self, number: int, text: str, is_reasoning: bool) -> None:
        """More of the reply of this number; reasoning is dimmed."""
        if number != self.at:
            self.end()
            if len(self.titles) > 1:
                self.rich.print(f"{self.titles[number]}:", markup=False, style="bold")
            self.at = number
        self.rich.print(Text(printable(text), style="dim" if is_reasoning else ""), end="")

    def end(self) -> None:
        if self.at is not None:
            self.rich.print()


class Columns:
    """Replies side by side."""

    def __init__(self, titles: tuple[str, ...]):
        self.titles, self.texts, self.view = titles, [Text() for _ in titles], None

    def table(self) -> Table:
        table = Table(*self.titles, expand=True, show_lines=False)
        for column in table.columns:
            column.ratio, column.overflow = 1, "fold"
        table.add_row(*self.texts)
        return table

    def write(self, number: int, text: str, is_reasoning: bool) -> None:
        """More of the reply of this number; reasoning is dimmed."""
        self.texts[number].append(printable(text), style="dim" if is_reasoning else "")
        self.view.update(self.table())


class Live:
    """The live line on a terminal."""

    def __init__(self, progress: Progress, task):
        self.progress, self.task = progress, task

    def advance(self, count: int = 1, note: str = "") -> None:
        self.progress.update(self.task, advance=count, note=note)


class PlainLive:
    """The live line where there is no terminal: at most one line in ten seconds."""

    SECONDS_BETWEEN_LINES = 10.0

    def __init__(self, console: Console, what: str, total: int, done: int):
        self.console, self.what, self.total = console, what, total
        self.before, self.done, self.start = done, done, time.monotonic()
        self.last_line = self.start

    def advance(self, count: int = 1, note: str = "") -> None:
        self.done += count
        now = time.monotonic()
        if now - self.last_line >= self.SECONDS_BETWEEN_LINES:
            left = (now - self.start) / (self.done - self.before) * (self.total - self.done)
            self.console.say(f"{self.what} {self.done}/{self.total}{note and '  ' + note}  {left:.0f} s left")
            self.last_line = now


def announce(console: Console, config: RunConfig, compute: ComputeSettings, why_tier: str, folder: Path) -> None:
    """The first lines: what was chosen and why."""
    console.say(f"{config.recipe}: {config.about}")
    console.say(f"tier    {config.tier} ({why_tier})")
    console.say(f"model   {config.model.name}, adapter {config.adapter.kind} of rank {config.adapter.rank}")
    console.say(
        f"machine {compute.card.describe() if compute.card else 'CPU'}, {compute.dtype.got} ({compute.dtype.why})"
    )
    for name in ("quantize", "attention", "fused", "optimizer"):
        choice = compute.settings()[name]
        if compute.card or choice.asked not in ("auto", "none"):
            console.say(f"        {name} {choice.got} ({choice.why})")
    console.say(f"data    {config.data.describe()}")
    if config.trainer == "grpo" or config.validation:
        console.say(f"guards  {'; '.join(regularisation(config)) or 'none'}")
    for line in caveats(config):
        console.say(f"trap    {line}")
    console.say(f"folder  {folder}")


def regularisation(config: RunConfig) -> Iterator[str]:
    """What keeps the model from learning the training answers by heart."""
    if config.trainer == "grpo" and config.train.kl:
        yield f"a KL leash of {config.train.kl:g} to the {'warm-up' if config.warmup else 'base'}"
    if config.validation:
        yield f"the step that does best on {config.validation.problems} other problems is kept"


def caveats(config: RunConfig) -> Iterator[str]:
    """What is known to go wrong with these rewards, before it does."""
    lengths = [reward.kind for reward in config.rewards if reward.reads_length]
    if lengths and config.advantage.divides_by_std:
        yield (
            f"advantage {config.advantage.kind} divides by each group's spread: where all replies of a group are "
            f"right, {' and '.join(lengths)} alone differs and is blown up to full size, however small its weight; "
            f"advantage.kind=dr_grpo keeps its size"
        )
    if lengths and config.trl.get("mask_truncated_completions"):
        yield "trl.mask_truncated_completions takes replies that were cut out of the loss: length costs them nothing"


def conclude(console: Console, result: dict, folder: Path) -> None:
    """The table at the end."""
    before, after, gain = result["before"], result["after"], result["gain"]
    training = result["training"]
    low, high = gain["interval"]
    console.table(
        [
            ("accuracy", f"{before['accuracy']:.1%}", f"{after['accuracy']:.1%}"),
            ("95 % interval", *(f"{s['interval'][0]:.1%} to {s['interval'][1]:.1%}" for s in (before, after))),
            ("tokens a reply", f"{before['mean_tokens']:.0f}", f"{after['mean_tokens']:.0f}"),
            ("replies cut short", f"{before['truncated']:.1%}", f"{after['truncated']:.1%}"),
        ],
        header=(f"{after['problems']} unseen problems × {after['samples']}", "before", "after"),
    )
    interval = f"95 % interval {low:+.1f} to {high:+.1f}"
    console.say(f"gain        {gain['points']:+.1f} points, {interval}: {result['verdict']}")
    low, high = result["tokens"]["interval"]
    console.say(f"tokens      {result['tokens']['change']:+.0%} a reply, 95 % interval {low:+.0%} to {high:+.0%}")
    console.say(f"trained     {result['adapter']['trainable_parameters']:,} parameters, {minutes(result)}")
    for line in explain_training(training):
        console.say(line)
    expected = result["expected"]
    if expected is not None:
        words = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in expected.items())
        console.say(f"expected    {words}: {'met' if result['meets_expectation'] else 'NOT met'}")
    if (folder / "report.html").is_file():
        console.say(f"report      {folder / 'report.html'}")
    console.say(f"run folder  {folder}")


def minutes(result: dict) -> str:
    """How long it took, and what of that was training."""
    seconds = result["seconds"]
    return f"{seconds['total'] / 60:.1f} minutes ({seconds['train'] / 60:.1f} of them training)"


def explain_training(training: dict) -> Iterator[str]:
    """Training reward and held-out accuracy apart, and groups without a gradient in words."""
    what = f"reward {training['last_reward']:.2f}" if "last_reward" in training else f"loss {training['last_loss']:.3f}"
    yield f"training    {what} over the last steps, on {training['problems']}"
    if training["validation_accuracy"] is not None:
        yield (
            f"held out    {training['validation_accuracy']:.0%} of other problems right at step "
            f"{training['kept_step']} of {training['steps']}; they chose that step, and are not in the table"
        )
    share = training.get("share_zero_variance_groups", 0)
    if share > 0:
        yield f"groups      in {share:.0%} all replies earned the same reward, so they had no gradient"
