"""Starts processes that grade, or run code of the person's own: small, without the caller's script in them."""

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable

PARENT = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
_STARTING = threading.Lock()


class ChildProcess(PARENT.Process):
    """A process that does not run the caller's script again, guarded by `if __name__` or not."""

    def start(self) -> None:
        if os.name == "posix":
            PARENT.set_forkserver_preload(["math_verify", "pebble"])  # graders need them
        main = vars(sys.modules["__main__"])
        with _STARTING:
            hidden = {name: main[name] for name in ("__file__", "__spec__") if name in main}
            main.update(dict.fromkeys(hidden))
            try:
                super().start()
            finally:
                main.update(hidden)


def end_with_parent(parent: int, end: Callable[[], None]) -> None:
    """Has `end` called, in a thread, when the process that started this one is gone. `parent`: its number."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        end()

    threading.Thread(target=watch, daemon=True).start()


class ChildContext(type(PARENT)):
    """The context in which a pool starts such processes."""

    Process = ChildProcess
