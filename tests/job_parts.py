"""What processes do in the tests of several runs at once; they import it by its name."""

import io
import os
import signal
import time
from functools import partial
from pathlib import Path

from rich.console import Console as RichConsole

from tinyreason.config.recipe import read_recipe
from tinyreason.console import Console
from tinyreason.errors import DataError
from tinyreason.models.load import compute_settings_for
from tinyreason.pipeline.jobs import THREADS, share_out
from tinyreason.runs.context import RunContext


def context():
    config = read_recipe("rlvr").resolve("sandbox")
    console = Console(RichConsole(file=io.StringIO(), width=200))
    return RunContext(console, compute_settings_for(config.model, config.kernels, card=None), "asked for")


def introduce(folder: Path, name: str, inside: RunContext) -> None:
    inside.console.say("all say this")
    inside.console.aside("nobody reads this")
    inside.console.say(f"{name} reads {inside.tier_reason}")
    with inside.console.live("counting", 3) as live:
        live.advance(note="slowly")
    (folder / name).write_text(f"{os.getpid()} {os.environ[THREADS]}")


def die(inside: RunContext) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(inside: RunContext) -> None:
    raise DataError("the file\nis empty")


def wait_for_the_end(folder: Path, name: str, inside: RunContext) -> None:
    (folder / name).write_text(str(os.getpid()))
    while True:
        time.sleep(0.05)
        if inside.deadline.has_come():
            (folder / f"{name}.saved").touch()
        inside.deadline.check()


def wait_as_two(folder: Path) -> None:
    share_out([partial(wait_for_the_end, folder, name) for name in "ab"], context())
