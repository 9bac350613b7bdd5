"""What a process uses at the moment: memory and cores, and of a card where it computes on one."""

import sys
import time
from contextlib import suppress

from tinyreason.runs.result import Stored


class Usage(Stored):
    """Memory in GiB; what cannot be told is None."""

    memory_gb: float | None = None
    """Of the process."""
    cores: float | None = None
    """Processor cores that it kept busy since the beat before: 1.0 is one of them all the time."""
    card_memory_gb: float | None = None
    """In use on the card, by any process."""
    card_total_gb: float | None = None
    card_busy: float | None = None
    """Share of the time that the card computed, 0–1."""


class Meter:
    """Reads the usage of this process again and again."""

    def __init__(self) -> None:
        import psutil

        self.process, self.can_tell_busy = psutil.Process(), True
        self.before = time.monotonic(), self._processor_s()

    def read(self) -> Usage:
        """Returns the usage now; cores are counted since the last call."""
        (then, spent), now = self.before, (time.monotonic(), self._processor_s())
        self.before = now
        cores = (now[1] - spent) / (now[0] - then) if now[0] - then > 0.05 else None
        memory = self.process.memory_info().rss / 2**30
        return Usage(memory_gb=round(memory, 3), cores=cores if cores is None else round(cores, 2), **self._card())

    def _processor_s(self) -> float:
        spent = self.process.cpu_times()
        return spent.user + spent.system

    def _card(self) -> dict[str, float]:
        """Returns what of the card can be told, where this process computes on one; never wakes one up."""
        torch = sys.modules.get("torch")
        if not hasattr(torch, "cuda") or not hasattr(torch.cuda, "is_initialized"):  # perhaps half imported
            return {}
        if not torch.cuda.is_initialized():
            return {}
        found: dict[str, float] = {}
        with suppress(Exception):
            free, total = torch.cuda.mem_get_info()
            found |= {"card_memory_gb": round((total - free) / 2**30, 2), "card_total_gb": round(total / 2**30, 2)}
        if self.can_tell_busy:
            try:
                found["card_busy"] = torch.cuda.utilization() / 100
            except Exception:  # without nvidia-ml-py, on a part of a card, on another maker's
                self.can_tell_busy = False
        return found


def started_at(pid: int) -> float:
    """Returns when a process of this machine began, in seconds since the epoch; 0 where there is none."""
    import psutil

    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return 0.0


def is_running(pid: int, started: float) -> bool:
    """Returns whether the process that had this number, and began then, is still there."""
    import psutil

    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < 2 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
