"""Runs the processes that ask Math-Verify: small, killable by the kernel, and without the caller's script in them.

A comparison's time limit counts processor time, so that a busy machine changes no verdict.
"""

import logging
import re
import signal
import time
import warnings
from contextlib import suppress
from functools import lru_cache
from typing import Any

from tinyreason.child_process import ChildContext
from tinyreason.grading.answers import NO_ANSWER, Pair
from tinyreason.grading.notation import ascii_notation, compact
from tinyreason.grading.values import final_side, read_value

MEMORY_BYTES = 2 << 30  # it needs 0.1 GB
WALL_PER_CPU_SECOND = 30 if hasattr(signal, "setitimer") else 1
FAR, NEAR, DECIMALS = 1e-3, 1e-12, 1e-5
"""Relative differences: what is beyond the first differs, what is within the second is equal, decimals the third."""
NOISE, NOISY = 1e-15, 20
BAD_GOLD = "gold answer cannot be parsed"

Comparison = tuple[bool | None, str | None, float, str]
"""(correct, or None where the gold answer cannot be parsed; the answer found; processor seconds; a note)."""

_NAMED_INDEX = re.compile(r"_\{\s*\\(max|min)\s*\}")
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
    gold = _parsed(pair.gold)
    if all(isinstance(part, str) for part in gold):  # the text alone: it is not an expression
        return None, pair.answer or None, BAD_GOLD
    if pair.why_not:
        return False, pair.answer or None, pair.why_not
    if compact(pair.answer) == compact(pair.gold):
        return True, pair.answer, ""
    is_number = read_value(pair.gold).kind == "number"
    said = _parsed(final_side(pair.answer) if is_number else pair.answer)
    if not said:
        return False, pair.answer, NO_ANSWER
    return _are_equal(gold, said), pair.answer, ""


@lru_cache(maxsize=512)
def _parsed(text: str) -> list:
    """Returns what Math-Verify reads: one gold answer is compared with many completions."""
    from math_verify import parse

    return parse(_box(text), parsing_timeout=None)


def _are_equal(gold: list, said: list) -> bool:
    """Asks Math-Verify, unless the sizes differ: it is slow to see that, and blind to what is small."""
    from math_verify import verify

    sizes = _sizes(gold[0], said[0])
    if sizes and not any(has_decimals for _, has_decimals in sizes) and not _are_close(sizes, FAR):
        return False
    return verify(gold, said, timeout_seconds=None) and (not sizes or _are_close(sizes, NEAR))


def _box(text: str) -> str:
    return "\\boxed{" + _NAMED_INDEX.sub(r"_{\1}", ascii_notation(text)) + "}"


def _sizes(gold: Any, said: Any) -> list[tuple[Any, bool]] | None:
    """Returns (its size, whether it holds decimals) of two expressions; letters get values, each another.

    None where one has no size, as a set, an interval, an equation or a percentage.
    """
    from sympy import Expr, Float, Rational, UnevaluatedExpr

    sides = gold, said
    if not all(isinstance(side, Expr) and not side.has(UnevaluatedExpr) for side in sides):
        return None
    letters = sorted(gold.free_symbols | said.free_symbols, key=str)
    values = {letter: Rational(7 + 4 * n, 5 + n) for n, letter in enumerate(letters)}
    try:
        sizes = [(side.subs(values).doit().evalf(20), side.has(Float)) for side in sides]
        return sizes if all(size.is_number and size.is_finite for size, _ in sizes) else None
    except (TypeError, ValueError, ArithmeticError, AttributeError, NotImplementedError):
        return None


def _are_close(sizes: list[tuple[Any, bool]], tolerance: float) -> bool:
    (first, is_decimal), (second, is_decimal_too) = sizes
    largest = max(abs(first), abs(second))
    if largest < NOISE and min(getattr(size, "_prec", NOISY) for size in (first, second)) < NOISY:
        return True  # what is left of an exact zero
    tolerance = max(tolerance, DECIMALS) if is_decimal or is_decimal_too else tolerance
    return bool(abs(first - second) <= tolerance * largest)
