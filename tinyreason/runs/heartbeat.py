"""The heartbeat of a run: a small file that says once a second which process it is, what it does and what it uses.

A run that ends says so in its last beat, however it ends; one whose beats stop without that was killed. In the other
direction a file beside it asks the run to stop: it works wherever the folder can be written, over a network too.
"""

import json
import os
import socket
import threading
import time
from collections import Counter
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from tinyreason.atomic import write_text
from tinyreason.console import Console
from tinyreason.errors import FolderError, TinyReasonError
from tinyreason.runs.deadline import Deadline
from tinyreason.runs.file_systems import uploading_file_system
from tinyreason.runs.result import Stored
from tinyreason.runs.usage import Meter, Usage, is_running, started_at

HEARTBEAT, STOP = "heartbeat.json", "stop.request"
STEPS, BASELINE = "step", "measuring the baseline"
"""What a run says that it does while it trains, and while it measures what the end is compared with."""
EVERY_S, UPLOADED_EVERY_S = 1.0, 30.0
"""Between two beats; the second where every write is an upload."""
MISSED = 5
"""So many beats may be late before the process is looked for."""
ELSEWHERE_S = 60.0
"""A process of another machine cannot be looked for: it is taken for killed after so long, and ten beats."""
DONE = "done"


class Heartbeat(Stored):
    """What heartbeat.json holds; times in seconds, points in time since the epoch."""

    pid: int
    host: str
    started: float
    """When the process began: another one may have its number by now."""
    time: float
    """Of this beat."""
    every_s: float = EVERY_S
    """To the next one."""
    doing: str = ""
    """`step`, `measuring the baseline`, …; empty between two such."""
    done: int = 0
    total: int = 0
    left_s: float | None = None
    """Of what it does, at the pace so far; None where that is not known."""
    spent_s: dict[str, float] = {}
    """What it did before → how long that took."""
    usage: Usage = Usage()
    stopping: str | None = None
    """What asked it to stop: `the page`, `SIGTERM`, `the deadline`."""
    ended: str | None = None
    """None while it runs; `done`, or why it ended."""

    @property
    def age_s(self) -> float:
        """Seconds since this beat, or to it where the clocks differ."""
        return abs(time.time() - self.time)

    @property
    def is_late(self) -> bool:
        """Whether the next beats should have come long ago."""
        return self.age_s > MISSED * self.every_s

    @property
    def is_alive(self) -> bool:
        """Whether the run is still going, as far as it can be told from here."""
        if self.ended is not None:
            return False
        if not self.is_late:
            return True
        if self.host != socket.gethostname():
            return self.age_s < ELSEWHERE_S + 10 * self.every_s
        return is_running(self.pid, self.started)


def read_heartbeat(folder: Path) -> Heartbeat | None:
    """Returns the last beat of the run in a folder; None where there is none, or it cannot be read."""
    try:
        return Heartbeat.model_validate(json.loads((folder / HEARTBEAT).read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError):
        return None


def ask_to_stop(folder: Path) -> None:
    """Asks the run in a folder to stop after its step, with a checkpoint. Errors: `FolderError`."""
    try:
        (folder / STOP).touch()
    except OSError as error:
        raise FolderError(f"cannot write {folder / STOP}: {error.strerror or error}; stop the run by Ctrl-C.") from None


@dataclass
class Heart(AbstractContextManager):
    """Beats while it is open, from a thread of its own; whatever keeps it from writing, the run does not suffer."""

    folder: Path
    console: Console
    deadline: Deadline
    every_s: float = 0.0
    """Between two beats; 0 = by the file system."""
    _spent_before: Counter[str] = field(default_factory=Counter)
    """By the sessions before this one; less what the console had spent on other runs."""

    def __enter__(self) -> Self:
        with suppress(OSError):
            (self.folder / STOP).unlink(missing_ok=True)  # of a session before this one
        self.every_s = self.every_s or (UPLOADED_EVERY_S if uploading_file_system(self.folder) else EVERY_S)
        earlier = read_heartbeat(self.folder)
        self._spent_before = Counter(earlier.spent_s if earlier else {})
        self._spent_before.subtract(self.console.spent_s)
        self._meter, self._over, self._started = Meter(), threading.Event(), started_at(os.getpid())
        self.beat()
        self._thread = threading.Thread(target=self._live, name="heartbeat", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind, error, trace) -> None:
        self._over.set()
        self._thread.join()
        self.beat(ended=DONE if kind is None else why_it_ended(error))

    def _live(self) -> None:
        """Looks for a request to stop once a second, and beats when it is time."""
        last = time.monotonic()
        while not self._over.wait(min(EVERY_S, self.every_s)):
            with suppress(OSError):
                if (self.folder / STOP).exists():
                    (self.folder / STOP).unlink()
                    self.deadline.request("the page")
            if time.monotonic() - last > self.every_s - EVERY_S / 2:
                last = time.monotonic()
                with suppress(Exception):
                    self.beat()

    def _spent_s(self) -> dict[str, float]:
        total = Counter(self._spent_before)
        total.update(self.console.spent_s)
        return {name: round(seconds, 2) for name, seconds in total.items() if seconds > 0}

    def beat(self, ended: str | None = None) -> None:
        """Writes one beat."""
        work = self.console.work
        doing = {} if work is None else {"doing": work.what, "done": work.done, "total": work.total}
        left_s = work and work.left_s
        beat = Heartbeat(
            pid=os.getpid(),
            host=socket.gethostname(),
            started=self._started,
            time=round(time.time(), 3),
            every_s=self.every_s,
            **doing,
            left_s=left_s if left_s is None else round(left_s, 1),
            spent_s=self._spent_s(),
            usage=self._meter.read(),
            stopping=self.deadline.why,
            ended=ended,
        )
        with suppress(OSError):
            write_text(self.folder / HEARTBEAT, json.dumps(beat.model_dump()) + "\n", is_durable=False)


def why_it_ended(error: BaseException | None) -> str:
    """Returns in words what ended a run."""
    if isinstance(error, TinyReasonError):
        return str(error)
    text = " ".join(str(error).split())
    if isinstance(error, KeyboardInterrupt):
        return text or "stopped by Ctrl-C, at once"
    return f"{type(error).__name__}: {text}"[:500]
