"""Runs code of the person's own in a process beside the run, which ends it where it takes too long."""

import atexit
import json
import os
import pickle
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tinyreason.child_process import PARENT, ChildProcess
from tinyreason.errors import ConfigError
from tinyreason.own_code.child import LOAD_S, answer_calls
from tinyreason.own_code.reference import CodeReference

GRACE_S = 5.0
"""A process that is over its time ends itself; so much later it is killed."""

_RUNNING: dict[str, "OwnProcess"] = {}


class OwnProcess:
    """A process with one function or class of the person's, which may be called again and again."""

    def __init__(self, reference: CodeReference, options: dict[str, Any], time_limit_s: float):
        """Starts it and loads the code. Errors: `ConfigError` for code that is not allowed, or cannot be loaded."""
        reference.check_allowed()
        reference.check()
        self.reference, self.time_limit_s = reference, time_limit_s
        handle, self.dump = tempfile.mkstemp(prefix="tinyreason-", suffix=".txt")
        os.close(handle)
        self.connection, other = PARENT.Pipe()
        self.process = ChildProcess(target=answer_calls, args=(other, self.dump), daemon=True)
        self.process.start()
        other.close()
        self.is_leaf, self.line = self.ask("load", LOAD_S, reference, options)

    def call(self, *args: Any, method: str | None = None, seed: int = 0, **known: Any) -> Any:
        """Returns what the code returns of these arguments, and of those of the known facts that it asks for.

        Errors: `ConfigError` with the file's line where it raises or takes longer than its time limit.
        """
        return self.ask("call", self.time_limit_s, seed, method, None, args, known)[0]

    def call_with_store(self, state: dict, *args: Any, method: str | None = None, seed: int = 0) -> tuple[Any, dict]:
        """Returns what a class of ours returns of these arguments and a store in this state, and the state after."""
        return self.ask("call", self.time_limit_s, seed, method, state, args, {})

    def ask(self, what: str, limit_s: float, *message: Any) -> Any:
        """Sends a message and returns the answer to it. Errors: `ConfigError`."""
        try:
            self.connection.send_bytes(pickle.dumps((what, limit_s, *message)))
            is_late = not self.connection.poll(limit_s + GRACE_S)
            state, found = ("ended", None) if is_late else pickle.loads(self.connection.recv_bytes())
        except (EOFError, OSError):
            state, found, is_late = "ended", None, False
        if state == "done":
            return found
        said = found if state == "failed" else self.why_ended(limit_s, is_late)
        raise ConfigError(f"{self.reference.kind}{said.rstrip('.')}.")

    def why_ended(self, limit_s: float, is_late: bool) -> str:
        """Ends the process and returns why it gave no answer: its time limit, with the line where it was, or an end."""
        self.close()
        with open(self.dump, encoding="utf-8", errors="replace") as dump:
            trace = dump.read()
        if not trace and not is_late:
            return f": its process ended by itself, with exit code {self.process.exitcode}"
        file = self.reference.file.resolve() if self.reference.file else ""
        lines = re.findall(rf'File "{re.escape(str(file))}", line (\d+)', trace)
        return f"{f' line {lines[0]}' if lines else ''}: it took longer than its time limit of {limit_s:g} s"

    def where(self) -> str:
        """Returns what messages call the function or class: `my_reward.py:reward (line 3)`."""
        return f"{self.reference.kind} (line {self.line})" if self.line else self.reference.kind

    def close(self) -> None:
        """Ends the process, whatever it does."""
        self.connection.close()
        self.process.join(0.2)
        if self.process.is_alive():
            self.process.kill()
        self.process.join()


def process_of(reference: CodeReference, options: dict[str, Any], time_limit_s: float) -> OwnProcess:
    """Returns the running process of this code with these options, or a new one. Errors: `ConfigError`."""
    key = json.dumps([str(reference), options, time_limit_s], sort_keys=True, default=str)
    found = _RUNNING.get(key)
    if found is None or not found.process.is_alive():
        found = _RUNNING[key] = OwnProcess(reference, options, time_limit_s)
    return found


@contextmanager
def ending_processes() -> Iterator[None]:
    """Ends every process of the person's code at its end."""
    try:
        yield
    finally:
        end_processes()


def end_processes() -> None:
    """Ends every process of the person's code."""
    while _RUNNING:
        found = _RUNNING.popitem()[1]
        found.close()
        with suppress(OSError):
            os.unlink(found.dump)


atexit.register(end_processes)
