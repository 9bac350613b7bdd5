"""What the person sees: plain lines, one live line during long work, and tables."""

import logging
import os
import re
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TextIO

from rich.console import Console as RichConsole
from rich.live import Live as LiveView
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text


def quiet_libraries(offline: bool) -> None:
    """Sends what libraries say to the run's log.txt instead of the screen; call it before they are imported."""
    os.environ |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    os.environ["TQDM_DISABLE"] = "1"
    os.environ["HF_HUB_VERBOSITY"] = "error"  # else it tells of each attempt to reach the hub
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
    logging.captureWarnings(True)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it warns of a cast at every int8 product


SENTENCES = (
    (
        r"longer than the specified maximum sequence length for this model \((\d+) > (\d+)\)",
        "a text of {0} tokens is longer than the {1} that the tokenizer was made for: take shorter prompts and rows, "
        "or a base with a longer context",
    ),
)
"""What a library warns of → what the person reads: warnings on which a person can act."""


class CaveatHandler(logging.Handler):
    """Says on the screen, once each, our own warnings and those of libraries on which a person can act."""

    def __init__(self, console: "Console"):
        super().__init__(logging.WARNING)
        self.console, self.said = console, set()

    def emit(self, record: logging.LogRecord) -> None:
        """Says what a record tells the person; all others are for the log."""
        text = sentence_of(record)
        if text and text not in self.said:
            self.said.add(text)
            self.console.say(f"caveat  {text}")


def sentence_of(record: logging.LogRecord) -> str | None:
    """Returns what a person reads of a record; None where it is for the log alone."""
    message = record.getMessage()
    if record.name.startswith("tinyreason."):
        return message
    found = ((re.search(pattern, message), sentence) for pattern, sentence in SENTENCES)
    return next((sentence.format(*match.groups()) for match, sentence in found if match), None)


@dataclass
class Work:
    """Long work that is being done: `done` of `total` units, `before` of them before it began."""

    what: str
    total: int
    done: int
    before: int = field(init=False)
    start: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.before = self.done

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.start

    def line(self, note: str) -> str:
        """Returns it as one line, with what it says of itself; at least one unit is done."""
        return f"{self.what} {self.done}/{self.total}{note and '  ' + note}  {self.left_s:.0f} s left"

    @property
    def left_s(self) -> float | None:
        """Seconds left at the pace so far; None before the first unit."""
        fresh = self.done - self.before
        return self.seconds / fresh * max(0, self.total - self.done) if fresh else None


COLUMNS = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=20))
"""How each line about long work begins: what it is, and a bar."""


class Console:
    """Writes to the terminal; where there is none (a log, a pipe), the live line becomes a line now and then."""

    def __init__(self, rich: RichConsole | None = None, stderr: bool = False, quiet: bool = False):
        self.rich = rich or RichConsole(highlight=False, soft_wrap=True, stderr=stderr, quiet=quiet)
        if not self.rich.is_terminal:
            self.rich.width = 1000
        self.work: Work | None = None
        """What is being done at the moment; None between two such."""
        self.spent_s: Counter[str] = Counter()
        """What was done before → how many seconds it took."""

    def say(self, text: str) -> None:
        self.rich.print(text, markup=False)

    def aside(self, text: str) -> None:
        """Says what concerns this process among several, where nobody watches all of them."""
        self.say(text)

    @contextmanager
    def saying_caveats(self) -> Iterator[None]:
        """Has warnings on which a person can act said here while it is open, not only in the log."""
        handler = CaveatHandler(self)
        logging.getLogger().addHandler(handler)
        try:
            yield
        finally:
            logging.getLogger().removeHandler(handler)

    @contextmanager
    def live(self, what: str, total: int, done: int = 0) -> Iterator["Live"]:
        """Opens a live line for `total` units of work, `done` of them before; its time left is measured."""
        outer, self.work = self.work, Work(what, total, done)
        work = self.work
        try:
            yield from self._shown(work)
        finally:
            self.work = outer
            self.spent_s[what] += work.seconds

    @contextmanager
    def board(self, many: int) -> Iterator["Board | PlainBoard"]:
        """Opens a table with a line for each of so many processes, of what it does at the moment."""
        if not self.rich.is_terminal:
            yield PlainBoard(self, many)
            return
        told = TextColumn("{task.fields[told]}", markup=False)
        with Progress(*COLUMNS, told, console=self.rich, transient=True) as progress:
            yield Board(progress, [progress.add_task("begins", total=None, told="") for _ in range(many)])

    def _shown(self, work: Work) -> Iterator["Live"]:
        if not self.rich.is_terminal:
            yield PlainLive(self, work)
            return
        told = TextColumn("{task.completed}/{task.total} {task.fields[note]}", markup=False)
        columns = (*COLUMNS, told, TimeRemainingColumn(), TextColumn("left"))
        with Progress(*columns, console=self.rich, transient=True) as progress:
            yield Live(work, progress, progress.add_task(work.what, total=work.total, completed=work.done, note=""))

    @contextmanager
    def completions(self, titles: tuple[str, ...]) -> Iterator["CompletionStream"]:
        """Opens a place for completions as they are written: side by side on a terminal, else one after the other."""
        if len(titles) == 1 or not self.rich.is_terminal:
            stream = CompletionStream(self.rich, titles)
            yield stream
            stream.end()
            return
        columns = CompletionColumns(titles)
        with LiveView(columns.table(), console=self.rich, refresh_per_second=8, transient=True) as view:
            columns.view = view
            yield columns
        self.rich.print(columns.table())

    def marked(self, pieces: list[tuple[str, bool]]) -> None:
        """Prints a text of pieces, some of them marked: reversed on a terminal, else between [[ and ]]."""
        text = Text()
        for piece, is_marked in pieces:
            if self.rich.is_terminal:
                text.append(printable(piece), style="reverse" if is_marked else "")
            else:
                text.append(f"[[{printable(piece)}]]" if is_marked else printable(piece))
        self.rich.print(text)

    def table(self, rows: list[tuple[str, ...]], header: tuple[str, ...]) -> None:
        table = Table(*header, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*row)
        self.rich.print(table, markup=False)


def printable(text: str) -> str:
    """Returns the text without control characters: what a model writes must not steer the terminal."""
    return "".join(c if c in "\n\t" or unicodedata.category(c) != "Cc" else "\N{REPLACEMENT CHARACTER}" for c in text)


class CompletionStream:
    """Completions one after the other, each under its title where there are several."""

    def __init__(self, rich: RichConsole, titles: tuple[str, ...]):
        self.rich, self.titles, self.at = rich, titles, None

    def write(self, number: int, text: str, is_reasoning: bool) -> None:
        """Writes more of the completion of this number; reasoning is dimmed."""
        if number != self.at:
            self.end()
            if len(self.titles) > 1:
                self.rich.print(f"{self.titles[number]}:", markup=False, style="bold")
            self.at = number
        self.rich.print(Text(printable(text), style="dim" if is_reasoning else ""), end="")

    def end(self) -> None:
        if self.at is not None:
            self.rich.print()


class CompletionColumns:
    """Completions side by side."""

    def __init__(self, titles: tuple[str, ...]):
        self.titles, self.texts, self.view = titles, [Text() for _ in titles], None

    def table(self) -> Table:
        table = Table(*self.titles, expand=True, show_lines=False)
        for column in table.columns:
            column.ratio, column.overflow = 1, "fold"
        table.add_row(*self.texts)
        return table

    def write(self, number: int, text: str, is_reasoning: bool) -> None:
        """Writes more of the completion of this number; reasoning is dimmed."""
        self.texts[number].append(printable(text), style="dim" if is_reasoning else "")
        self.view.update(self.table())


class Live:
    """A live line on a terminal."""

    def __init__(self, work: Work, progress: Progress, task):
        self.work, self.progress, self.task = work, progress, task

    def advance(self, count: int = 1, note: str = "") -> None:
        self.work.done += count
        self.progress.update(self.task, advance=count, note=note)


class PlainLive:
    """A live line where there is no terminal: at most one line in ten seconds."""

    SECONDS_BETWEEN_LINES = 10.0

    def __init__(self, console: Console, work: Work):
        self.console, self.work = console, work
        self.last_line = time.monotonic()

    def advance(self, count: int = 1, note: str = "") -> None:
        work, now = self.work, time.monotonic()
        work.done += count
        if now - self.last_line >= self.SECONDS_BETWEEN_LINES:
            self.console.say(work.line(note))
            self.last_line = now


class InnerConsole(Console):
    """The console of one run among several: its live line is shown under the run's name, its words go to a file."""

    def __init__(self, outer: Console, label: str, log: TextIO):
        super().__init__(outer.rich)
        self.outer, self.label, self.log = outer, label, log

    def say(self, text: str) -> None:
        self.log.write(f"{text}\n")
        self.log.flush()

    @contextmanager
    def live(self, what: str, total: int, done: int = 0) -> Iterator["Live"]:
        with self.outer.live(f"{self.label}: {what}", total, done) as live:
            yield live


class TellingConsole(Console):
    """The console of one process among several, which another shows."""

    def __init__(self, tell: Callable[[str | tuple[Work, str] | None], None]):
        super().__init__(quiet=True)
        self.tell = tell

    def say(self, text: str) -> None:
        self.tell(text)

    def aside(self, text: str) -> None:
        """Says nothing, as all are watched."""

    def _shown(self, work: Work) -> Iterator["ToldLive"]:
        self.tell((work, ""))
        yield ToldLive(self.tell, work)
        self.tell(None)


class ToldLive:
    """A live line that another process shows."""

    def __init__(self, tell: Callable[[tuple[Work, str]], None], work: Work):
        self.tell, self.work = tell, work

    def advance(self, count: int = 1, note: str = "") -> None:
        self.work.done += count
        self.tell((self.work, note))


class Board:
    """A line for each of several processes, on a terminal."""

    def __init__(self, progress: Progress, tasks: list):
        self.progress, self.tasks = progress, tasks

    def show(self, number: int, work: Work | None, note: str = "") -> None:
        """Shows what the process of this number, from 0, does; None = nothing that takes long."""
        if work is None:
            self.progress.update(self.tasks[number], total=None, told="")
            return
        left = "" if work.left_s is None else f"{timedelta(seconds=round(work.left_s))} left"
        told = f"{work.done}/{work.total} {note} {left}"
        self.progress.update(
            self.tasks[number], description=work.what, total=work.total, completed=work.done, told=told
        )


class PlainBoard:
    """The same where there is no terminal: of each process at most one line in ten seconds."""

    def __init__(self, console: Console, many: int):
        self.console, self.last_lines = console, [time.monotonic()] * many

    def show(self, number: int, work: Work | None, note: str = "") -> None:
        """Says what the process of this number, from 0, does; None = nothing that takes long."""
        now = time.monotonic()
        if work and work.left_s is not None and now - self.last_lines[number] >= PlainLive.SECONDS_BETWEEN_LINES:
            self.console.say(work.line(note))
            self.last_lines[number] = now
