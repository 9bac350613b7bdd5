"""The other processes of a run: how the main one starts them, and what they do; each takes the same steps, quietly.

A helper works in a copy of the run folder that goes with it, so that none writes what the main process reads. It ends
when the main process is gone, and whatever it dies of ends the run: what that has saved is whole.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from tinyreason import processes
from tinyreason.child_process import end_with_parent
from tinyreason.config.run_config import RunConfig
from tinyreason.console import Console, quiet_libraries
from tinyreason.errors import Stopped
from tinyreason.grading.grader import Grader
from tinyreason.models.hardware import VISIBLE, Card, cards_for, take_card
from tinyreason.models.kernels import ComputeSettings
from tinyreason.runs.clock import Clock
from tinyreason.runs.context import RunContext
from tinyreason.runs.folder import RunFolder

ADDRESS = "127.0.0.1"
STORE, PARENT = "TINYREASON_STORE", "TINYREASON_PARENT"
"""Environment of a helper that the main process started: the port of the store where all meet; who started it."""
GOES_IN_S = 10.0
"""So long a helper may take to end once the run has ended, before it is killed."""
NOT_COPIED = shutil.ignore_patterns("log.txt", "heartbeat.json", ".*", "tensorboard", "report.html", "controls")


@dataclass(frozen=True)
class SharedRun:
    """What the main process tells the others of a run that begins."""

    config: RunConfig
    out: Path
    compute: ComputeSettings


@contextmanager
def helped(config: RunConfig, out: Path, compute: ComputeSettings, grader: Grader) -> Iterator[Grader]:
    """Has helpers take the same steps as the run inside, and gives the grader that all of them ask.

    Errors: `ConfigError` where the machine has too few cards; `Stopped` inside where a helper has ended.
    """
    if config.processes == 1:
        yield grader
        return
    with started(config.processes, compute.card) if processes.count() == 1 else nullcontext():
        processes.by_main(lambda: SharedRun(config, out.absolute(), compute))
        processes.gather(None)  # their copies of the folder are made
        yield processes.ByMain(grader)


@contextmanager
def met() -> Iterator[None]:
    """Meets, as the main process, the helpers that torchrun or accelerate have started, and sends them home."""
    with processes.meeting():
        yield
        processes.by_main(lambda: None)


@contextmanager
def started(many: int, card: Card | None) -> Iterator[None]:
    """Starts helpers, so that there are so many processes, and ends them; each has a card of its own, or its cores."""
    import torch
    from torch.distributed import TCPStore

    cards, threads = cards_for(many, card, "processes=")[1:] if card else [], torch.get_num_threads()
    store = TCPStore(ADDRESS, 0, is_master=True, wait_for_workers=False)
    with tempfile.TemporaryDirectory(prefix="tinyreason-") as place:
        begun: list[subprocess.Popen] = []

        def obituary() -> str:
            return _what_died(begun, Path(place))

        try:
            for rank in range(1, many):
                with open(Path(place, f"{rank}.txt"), "w", encoding="utf-8") as said:
                    environment = _environment(rank, many, store.port, place, cards)
                    begun.append(
                        subprocess.Popen(
                            [sys.executable, "-m", "tinyreason.pipeline.launch"],
                            env=environment,
                            stdin=subprocess.DEVNULL,
                            stdout=said,
                            stderr=said,
                        )
                    )
            _wait_until_here(store, begun, obituary)
            with processes.meeting(obituary, (store, 0, many)):
                yield
                processes.by_main(lambda: None)
        finally:
            torch.set_num_threads(threads)
            for process in begun:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(GOES_IN_S)
                process.kill()
                process.wait()


def _environment(rank: int, many: int, port: int, place: str, cards: list[str]) -> dict[str, str]:
    """Returns the environment of the helper of this rank."""
    package = str(Path(__file__).parents[2])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    found = os.environ | {"RANK": str(rank), "WORLD_SIZE": str(many), "PYTHONPATH": os.pathsep.join(paths)}
    found |= {STORE: str(port), PARENT: str(os.getpid()), "TMPDIR": place}
    return found | ({VISIBLE: cards[rank - 1]} if cards else {})


def _wait_until_here(store, begun: list[subprocess.Popen], obituary) -> None:
    """Waits until every helper is there to be met. Errors: `Stopped` where one has ended before."""
    while not store.check([f"here/{rank}" for rank in range(1, len(begun) + 1)]):
        if any(process.poll() is not None for process in begun):
            raise Stopped(obituary())
        time.sleep(0.05)


def _what_died(begun: list[subprocess.Popen], place: Path) -> str:
    """Says which helper has ended, and what it said last."""
    until = time.monotonic() + GOES_IN_S
    while time.monotonic() < until and all(process.poll() is None for process in begun):
        time.sleep(0.05)
    for rank, process in enumerate(begun, 1):
        if process.poll() is not None:
            lines = (place / f"{rank}.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            last = f" ({lines[-1][:300]})" if lines else ""
            how = f"by signal {-process.returncode}" if process.returncode < 0 else f"with {process.returncode}"
            return f"process {rank + 1} of {len(begun) + 1} ended {how}{last}, and the run with it"
    return "the connection to another process of the run broke"


def help_main() -> None:
    """Helps the main process with every run that it begins, until it sends this one home or is gone."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the main process decides when the run ends
        signal.signal(number, signal.SIG_IGN)
    rank, many = processes.launched()
    at, port = None, os.environ.pop(STORE, None)
    if not port:
        take_card(rank)
    else:
        from torch.distributed import TCPStore

        parent = int(os.environ.pop(PARENT))
        end_with_parent(parent, _end_at_once)
        store = TCPStore(ADDRESS, int(port), is_master=False)
        store.set(f"here/{rank}", "")
        at = (store, rank, many)
    try:
        with processes.meeting(at=at):
            while job := processes.by_main(lambda: None):
                help_with(job)
    finally:
        if port and os.getppid() != parent:
            _clear()


def _end_at_once() -> None:
    """Ends this process, as the one that started it is gone."""
    _clear()
    os.kill(os.getpid(), signal.SIGKILL)


def _clear() -> None:
    """Removes the folder that the main process made for its helpers and can no longer remove."""
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)


def help_with(job: SharedRun) -> None:
    """Takes the steps of a run that the main process has begun."""
    from tinyreason.pipeline.run import run_in

    quiet_libraries(job.config.is_offline)
    with tempfile.TemporaryDirectory(prefix="tinyreason-") as place:
        own = Path(place, "run")
        shutil.copytree(job.out, own, ignore=NOT_COPIED)
        processes.gather(None)
        with RunFolder(own, is_resumed=True) as folder:
            context = RunContext(Console(quiet=True), job.compute)
            run_in(folder, job.config, context, processes.ByMain(None), Clock())


if __name__ == "__main__":
    with suppress(Stopped):
        help_main()
