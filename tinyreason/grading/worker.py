"""Runs the processes that compare answers: small, killable by the kernel, and without the caller's script in them.

A comparison's time limit counts processor time, so that a busy machine changes no verdict.
"""

import logging
import signal
import time
import warnings
from contextlib import suppress
from typing import Any

from tinyreason.child_process import ChildContext
from tinyreason.grading.answers import Pair
from tinyreason.grading.graders import BAD_GOLD, read_rule

MEMORY_BYTES = 2 << 30  # it needs 0.1 GB
WALL_PER_CPU_SECOND = 30 if hasattr(signal, "setitimer") else 1

Comparison = tuple[bool | None, str | None, float, str]
"""(correct, or None where the gold answer cannot be parsed; the answer found; processor seconds; a note)."""

_SIGPROF = getattr(signal, "SIGPROF", -1)


def start_pool(workers: int) -> Any:
    """Starts a pebble pool of so many workers."""
    from pebble import ProcessPool

    return ProcessPool(workers, initializer=_prepare, context=ChildContext())


def stop_pool(pool: Any) -> None:
    """Ends the workers of a pool, whatever they do."""
    pool.stop()
    pool.join()


def schedule(pool: Any, pair: Pair, timeout_s: float) -> Any:
    """Hands a pair to a worker; returns the future of its `Comparison`."""
    return pool.schedule(compare_answers, (pair, timeout_s), timeout=timeout_s * WALL_PER_CPU_SECOND)


def ran_out_of_time(error: BaseException) -> bool:
    """Returns whether a future failed because its worker's time was over."""
    return isinstance(error, TimeoutError) or getattr(error, "exitcode", 0) == -_SIGPROF


def compare_answers(pair: Pair, timeout_s: float) -> Comparison:
    """Compares a pair in this process, which the kernel ends after `timeout_s` seconds of work."""
    read_rule(pair.rule).prepare()
    started = time.process_time()
    _end_me_after(timeout_s)
    try:
        correct, extracted, note = _compare(pair)
    finally:
        _end_me_after(0)
    return correct, extracted, time.process_time() - started, note


def _prepare() -> None:
    """Makes the worker killable and small, and loads what it needs before its first timed task."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    with suppress(ImportError, ValueError):  # Windows and macOS have no such limit
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    _compare(Pair("x^2 + 2x + 1", "(x + 1)^2"))


def _end_me_after(seconds: float) -> None:
    """Has the kernel kill this process after so much work, whatever it does; 0 calls it off."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _compare(pair: Pair) -> tuple[bool | None, str | None, str]:
    rule = read_rule(pair.rule)
    if not rule.reads(pair.gold):
        return None, pair.answer or None, BAD_GOLD
    if pair.why_not:
        return False, pair.answer or None, pair.why_not
    correct, note = rule.grade(pair.gold, pair.answer)
    return correct, pair.answer, note
