"""Runs the processes that ask Math-Verify: small, killable by the kernel, and without the caller's script in them.

A comparison's time limit counts processor time, so that a busy machine changes no verdict.
"""

import logging
import multiprocessing
import os
import re
import signal
import sys
import threading
import time
import warnings
from contextlib import suppress
from typing import Any

from tinyreason.grading.answers import NO_ANSWER, Pair
from tinyreason.grading.notation import ascii_notation
from tinyreason.grading.values import final_side, read_value

MEMORY_BYTES = 2 << 30  # it needs 0.1 GB
WALL_PER_CPU_SECOND = 30 if hasattr(signal, "setitimer") else 1
BAD_GOLD = "gold answer cannot be parsed"

Comparison = tuple[bool | None, str | None, float, str]
"""(correct, or None where the gold answer cannot be parsed; the answer found; processor seconds; a note)."""

_NAMED_INDEX = re.compile(r"_\{\s*\\(max|min)\s*\}")
_PARENT = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
_STARTING = threading.Lock()
_SIGPROF = getattr(signal, "SIGPROF", -1)


class _Worker(_PARENT.Process):
    """A process that does not run the caller's script again, guarded by `if __name__` or not."""

    def start(self) -> None:
        main = vars(sys.modules["__main__"])
        with _STARTING:
            hidden = {name: main[name] for name in ("__file__", "__spec__") if name in main}
            main.update(dict.fromkeys(hidden))
            try:
                super().start()
            finally:
                main.update(hidden)


class _Context(type(_PARENT)):
    Process = _Worker


def start_pool(workers: int) -> Any:
    """Starts a pebble pool of so many workers."""
    from pebble import ProcessPool

    context = _Context()
    if os.name == "posix":
        context.set_forkserver_preload(["math_verify", "pebble"])
    return ProcessPool(workers, initializer=_prepare, context=context)


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
    started = time.process_time()
    _end_me_after(timeout_s)
    try:
        correct, extracted, note = _ask_math_verify(pair)
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
    _ask_math_verify(Pair("x^2 + 2x + 1", "(x + 1)^2"))


def _end_me_after(seconds: float) -> None:
    """Has the kernel kill this process after so much work, whatever it does; 0 calls it off."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _ask_math_verify(pair: Pair) -> tuple[bool | None, str | None, str]:
    from math_verify import parse, verify

    gold = parse(_box(pair.gold), parsing_timeout=None)
    if all(isinstance(part, str) for part in gold):  # the text alone: it is not an expression
        return None, pair.answer or None, BAD_GOLD
    if pair.why_not:
        return False, pair.answer or None, pair.why_not
    is_number = read_value(pair.gold).kind == "number"
    said = parse(_box(final_side(pair.answer) if is_number else pair.answer), parsing_timeout=None)
    if not said:
        return False, pair.answer, NO_ANSWER
    return verify(gold, said, timeout_seconds=None) and _same_size(gold[0], said[0]), pair.answer, ""


def _box(text: str) -> str:
    return "\\boxed{" + _NAMED_INDEX.sub(r"_{\1}", ascii_notation(text)) + "}"


def _same_size(gold: Any, said: Any) -> bool:
    """Returns whether two expressions that Math-Verify calls equal are so for their size: it compares to 6 decimals.

    Letters get values, each another. What has none, as a set or an interval, is believed.
    """
    from sympy import Eq, Expr, Float, Rational

    sides = [one.rhs if isinstance(one, Eq) else one for one in (gold, said)]
    if not all(isinstance(side, Expr) for side in sides):
        return True
    letters = sorted(sides[0].free_symbols | sides[1].free_symbols, key=str)
    values = {letter: Rational(7 + 4 * n, 5 + n) for n, letter in enumerate(letters)}
    tolerance = 1e-5 if any(side.has(Float) for side in sides) else 1e-12
    try:
        first, second = (side.subs(values).doit().evalf(30) for side in sides)
        size = max(abs(first), abs(second))
        if size < 1e-20 and min(getattr(first, "_prec", 99), getattr(second, "_prec", 99)) < 10:
            return True  # noise around an exact zero
        return bool(abs(first - second) <= tolerance * size)
    except (TypeError, ValueError, ArithmeticError, AttributeError):
        return True
