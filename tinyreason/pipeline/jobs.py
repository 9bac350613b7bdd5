"""Several runs at once, each in a process with a card or a part of the cores: on one screen, and ended together.

Who has a run is said by its folder alone, so nothing here hands runs out: every process goes through the same list and
takes what no other has, as it would if the same line had been typed in another window.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from tinyreason.child_process import end_with_parent
from tinyreason.console import Console, TellingConsole, Work, quiet_libraries
from tinyreason.errors import ConfigError, Stopped, TinyReasonError
from tinyreason.models.hardware import VISIBLE, Card, cards_for, physical_cores
from tinyreason.models.kernels import ComputeSettings
from tinyreason.own_code.reference import ALLOWED
from tinyreason.runs.context import RunContext
from tinyreason.runs.deadline import Deadline

Part = Callable[[RunContext], Any]
"""What one process does, all of it: it is pickled."""
THREADS = "OMP_NUM_THREADS"
GOES_IN_S = 30.0
"""So long a process may take to end once it has been told to, before it is killed."""


@dataclass(frozen=True)
class Member:
    """What a process is told of the work that it has a part in."""

    part: Part
    compute: ComputeSettings
    reason: str
    end: datetime | None
    accept_changes: bool
    allowed: frozenset[str] = field(default_factory=lambda: frozenset(ALLOWED))
    """SHA-256 of the files of their own code that the person lets run."""
    parent: int = field(default_factory=os.getpid)


def share_out(parts: Sequence[Part], context: RunContext) -> None:
    """Does all parts at once, each in a process of its own, and returns when all have ended; shows what they do.

    A process that dies is named, and the others work on. Errors: `ConfigError` where the machine has too few cards or
    cores; `Stopped` after Ctrl-C, SIGTERM or the deadline, once all have saved; `TinyReasonError` that ended a process.
    """
    console, places = context.console, places_for(len(parts), context.compute.card)
    spawn = get_context("spawn")
    begun: dict[Connection, BaseProcess] = {}
    try:
        for part, place in zip(parts, places, strict=True):
            here, there = spawn.Pipe(duplex=False)
            member = Member(part, context.compute, context.tier_reason, context.deadline.at, context.accept_changes)
            process = spawn.Process(target=take_part, args=(member, there))
            with inherited(place):
                process.start()
            there.close()  # else its end would not be seen
            begun[here] = process
        with passing_on_signals(begun.values()):
            ended = listen(begun, console)
    finally:
        end_all(begun.values())
    if ended:
        raise max(ended, key=lambda error: isinstance(error, Stopped))


def places_for(many: int, card: Card | None) -> list[dict[str, str]]:
    """Returns the environment of each process: its card, or how many threads it computes on. Errors: `ConfigError`."""
    if card:
        return [{VISIBLE: uuid} if uuid else {} for uuid in cards_for(many, card, "--jobs ")]
    cores = physical_cores()
    if many > cores:
        raise ConfigError(
            f"--jobs {many} wants a core for each run, and {cores} can be used here; type --jobs {cores}."
        )
    return [{THREADS: os.environ.get(THREADS, str(cores // many))}] * many


@contextmanager
def inherited(values: dict[str, str]) -> Iterator[None]:
    """Has a process that is started inside find these in its environment."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def passing_on_signals(members) -> Iterator[None]:
    """Has Ctrl-C and SIGTERM heard by the processes, which save what they have, and not by this one, which waits."""

    def pass_on(number: int, _) -> None:
        for process in members:
            with suppress(OSError):  # it has ended
                os.kill(process.pid, number)

    is_main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if is_main else ()
    before = {number: signal.signal(number, pass_on) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def listen(begun: dict[Connection, BaseProcess], console: Console) -> list[TinyReasonError | Stopped]:
    """Shows what the processes say and do until all have ended; returns what ended some of them."""
    numbers, ended, said = {connection: number for number, connection in enumerate(begun)}, [], set()
    with console.board(len(begun)) as board:
        while numbers:
            for connection in wait([*numbers]):
                try:
                    told = connection.recv()
                except (EOFError, OSError):
                    board.show(number := numbers.pop(connection), None)
                    if death := how_it_died(begun[connection]):
                        console.say(f"process {number + 1} of {len(begun)} {death}; what it saved is kept")
                    continue
                if isinstance(told, TinyReasonError | Stopped):
                    ended.append(told)
                elif not isinstance(told, str):
                    board.show(numbers[connection], *told or (None,))
                elif told not in said:  # what holds for all, each of them says
                    said.add(told)
                    console.say(told)
    return ended


def how_it_died(process: BaseProcess) -> str | None:
    """Returns how a process ended that did not end by itself."""
    process.join()
    if process.exitcode < 0:
        return f"ended by signal {-process.exitcode}"
    return f"ended with {process.exitcode}" if process.exitcode else None


def end_all(members) -> None:
    """Ends the processes that are still there; those that are told to have time to save."""
    for process in members:
        if process.is_alive():
            process.terminate()
    for process in members:
        process.join(GOES_IN_S)
        process.kill()
        process.join()


def take_part(member: Member, connection: Connection) -> None:
    """Does one part as a process of its own, and tells the one that started it what it says and does."""
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)  # a terminal's Ctrl-C then reaches it once, passed on
    end_with_parent(member.parent, lambda: os.kill(os.getpid(), signal.SIGTERM))
    ALLOWED.update(member.allowed)
    lock = threading.RLock()

    def tell(what: str | tuple[Work, str] | TinyReasonError | Stopped | None) -> None:
        with lock, suppress(OSError):  # nobody listens any more
            connection.send(what)

    quiet_libraries(offline=False)  # whether it is, it has inherited
    console = TellingConsole(tell)
    try:
        with Deadline(member.end, console.say) as stop:
            member.part(RunContext(console, member.compute, member.reason, stop, member.accept_changes))
    except (Stopped, TinyReasonError) as error:
        tell((Stopped if isinstance(error, Stopped) else TinyReasonError)(str(error)))
    except KeyboardInterrupt:
        tell(Stopped("stopped by Ctrl-C"))
