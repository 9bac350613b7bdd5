"""Ending a run before its time, with everything saved: a deadline, SIGTERM, Ctrl-C."""

import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from types import FrameType
from typing import Self

from tinyreason.errors import ConfigError, Stopped

SPARE_S = 5.0
"""Kept free before the deadline, beside the time of the longest step so far: to save and to leave."""
LONGER = 1.2
"""A step may take so much longer than any before."""
LONGEST_ALARM_S = 1e8
"""Three years: a system's timer takes no more than some such number."""
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+)s)?", re.ASCII)
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)


def read_deadline(text: str, now: datetime) -> datetime:
    """Reads `11h30m`, `18:30` (today's, or tomorrow's where that is nearer) or `2026-11-22T09:00`.

    Errors: `ConfigError` for anything else, and for a time that is past.
    """
    text = text.strip()
    duration, clock = _DURATION.fullmatch(text), _CLOCK.fullmatch(text)
    try:
        if text and duration:
            days, hours, minutes, seconds = (int(part or 0) for part in duration.groups())
            deadline = now + timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        elif clock:
            hour, minute, second = (int(part or 0) for part in clock.groups())
            today = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
            deadline = min((today + timedelta(days=days) for days in (0, 1)), key=lambda time: abs(time - now))
        else:
            deadline = datetime.fromisoformat(text)
            deadline = deadline.astimezone().replace(tzinfo=None) if deadline.tzinfo else deadline
    except (ValueError, OverflowError):
        raise ConfigError(
            f"--deadline {text!r} is not a time; type a duration like 11h30m, a clock time like 18:30, or a date with "
            f"a time like {now + timedelta(days=1):%Y-%m-%dT%H:%M}."
        ) from None
    if deadline <= now:
        raise ConfigError(
            f"--deadline {text} is past: it means {deadline:%Y-%m-%d %H:%M}, and it is {now:%H:%M}; type a later one, "
            f"or a duration like 11h30m."
        )
    return deadline


class Deadline(AbstractContextManager):
    """Says whether the run has to end. As a context it listens to SIGTERM and Ctrl-C, and sets an alarm.

    While steps are taken (`finishing_steps`) a signal is noted, and the step is finished and saved; at any other time
    the run, which is saved then, ends at once. A second Ctrl-C is a `KeyboardInterrupt`. The alarm is for work that
    does not ask, or that takes longer than any before: it is given up just before the deadline (not on Windows).
    """

    def __init__(
        self,
        at: datetime | None = None,
        say: Callable[[str], None] = lambda text: None,
        last_step: int | None = None,
    ):
        self.last_step = last_step
        """A step to end after, whatever the time."""
        self.at = at
        """The moment to end before, local time; None = no such moment."""
        self._end = at and time.monotonic() + (at - datetime.now()).total_seconds()
        self.say = say
        self.why: str | None = None
        self._is_patient = False
        self._beat, self._longest_s = time.monotonic(), 0.0
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._hear) for number in (signal.SIGTERM, signal.SIGINT)}
            if self._end and hasattr(signal, "setitimer"):
                self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._ring)
                left_s = self._end - SPARE_S - time.monotonic()
                signal.setitimer(signal.ITIMER_REAL, min(max(left_s, 0.001), LONGEST_ALARM_S))
        return self

    def __exit__(self, *_: object) -> None:
        if self._end and hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        if self.why is None:  # otherwise the run is ending, and saves
            self.why = "the deadline"
            raise Stopped("stopped by the deadline")

    def _hear(self, number: int, frame: FrameType | None) -> None:
        is_first, self.why = self.why is None, "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
        if self._is_patient and is_first:
            self.say(f"{self.why}: ending after this step; Ctrl-C again ends at once")
        elif number == signal.SIGINT and not is_first:
            raise KeyboardInterrupt
        else:
            raise Stopped(f"stopped by {self.why}")

    @contextmanager
    def finishing_steps(self) -> Iterator[None]:
        """Lets a first signal wait for the end of the step."""
        self._is_patient = True
        self.restart_timing()
        try:
            yield
        finally:
            self._is_patient = False

    def request(self, who: str) -> None:
        """Has the run end as soon as it asks: after this step, or this batch of an evaluation; from any thread."""
        if self.why is None:
            self.why = who
            self.say(f"{who} asks to stop: ending after this {'step' if self._is_patient else 'batch'}")

    def restart_timing(self) -> None:
        """Forgets how long pieces of work took, as those of another kind begin."""
        self._beat, self._longest_s = time.monotonic(), 0.0

    def has_come(self, step: int | None = None) -> bool:
        """Returns whether to end now, asked after each step or batch: another like it might not fit any more."""
        now = time.monotonic()
        self._longest_s, self._beat = max(self._longest_s, now - self._beat), now
        if self._end and not self.why and now + LONGER * self._longest_s + SPARE_S > self._end:
            self.why = "the deadline"
        if step is not None and step == self.last_step:
            self.why = self.why or "request"
        return self.why is not None

    def check(self) -> None:
        """Raises `Stopped` if the run has to end now."""
        if self.has_come():
            raise Stopped(f"stopped by {self.why}")
