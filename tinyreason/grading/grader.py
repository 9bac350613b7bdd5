"""The only judge: rewards, evaluation and `tinyreason grade` all ask here whether a completion is right.

Math-Verify compares, in worker processes, because an answer such as `9^{9^{9^9}}` hangs or eats the memory of whoever
reads it and only the kernel can stop that: a worker's memory is capped and a timer kills it at the item's time limit,
which counts processor time, so that a busy machine changes no verdict. Each comparison is a task of its own, so a
killed one costs only itself, and sending it (0.1 ms) costs little beside reading LaTeX (2 to 10 ms); plain integers
are compared at once and repeated pairs only once.
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
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, NamedTuple

from tinyreason.errors import DataError, nearest

MAX_ANSWER_CHARS = 2_000
SEARCHED_CHARS = 4_000  # at the end of a completion that marks no answer
WORKER_MEMORY_BYTES = 2 << 30  # it needs 0.1 GB
REMEMBERED_PAIRS = 4_096
ROWS_AT_ONCE = 1_000

NO_ANSWER = "no answer found"
TOO_LONG = f"answer longer than {MAX_ANSWER_CHARS:,} characters"
BAD_GOLD = "gold answer cannot be parsed"
DIED = "judge process died"

_INTEGER = re.compile(r"[-+]?[0-9]{1,40}|-?[1-9][0-9]{0,2}(?:,[0-9]{3}){1,12}")
_NUMBER = re.compile(r"\$?([-+]?\$?\d[\d,]*(?:\.\d+)?%?)(?:\.|\s+[A-Za-z]{2,}[A-Za-z .]*)?")
_BRACE = re.compile(r"\\boxed\s*\{|\\\\(?!boxed)|\\[{}]|[{}]")


@dataclass(frozen=True)
class Verdict:
    """Whether a completion is right."""

    correct: bool | None  # None: the gold answer cannot be parsed, so nobody can tell
    extracted: str | None
    seconds: float  # of processor time; a repeated pair carries the figure of the first
    note: str = ""


class Pair(NamedTuple):
    """A gold answer and what a completion says: its `answer`, or `prose` to search for one, or neither."""

    gold: str
    answer: str = ""
    prose: str = ""
    why_not: str = NO_ANSWER


def read(completion: str, gold_answer: str) -> Pair:
    """What is to be compared: a box decides, then `#### x`, else Math-Verify searches the end of the text."""
    gold = gold_text(gold_answer)
    _, closed, reply = completion.rpartition("</think>")
    if not closed and "<think>" in reply:
        return Pair(gold)
    answer, prose = _marked(reply)
    if answer is None:
        return Pair(gold, prose=prose.strip()[-SEARCHED_CHARS:])
    return Pair(gold, answer) if len(answer) <= MAX_ANSWER_CHARS else Pair(gold, why_not=TOO_LONG)


def gold_text(answer: str) -> str:
    """The part of a published answer that is compared: its box, what follows `####`, or all of it."""
    marked, _ = _marked(answer)
    return _bare(answer) if marked is None else marked


def _bare(text: str) -> str:
    """Without the space and full stop around it: Math-Verify cannot read `104.`."""
    return text.strip().rstrip(". ")


def _marked(text: str) -> tuple[str | None, str]:
    """The answer in the last balanced `\\boxed{...}` or after `####`, and the text before a box that never closes."""
    start, end = -1, -1
    open_braces: list[int] = []  # where the content of a box starts, -1 for a brace that is no box
    for token in _BRACE.finditer(text):
        if token[0] == "{":
            open_braces.append(-1)
        elif token[0].startswith("\\boxed"):
            open_braces.append(token.end())
        elif token[0] == "}" and open_braces and (content := open_braces.pop()) > start:
            start, end = content, token.start()
    never_closed = next((content for content in open_braces if content >= 0), None)
    prose = text if never_closed is None else text[: text.rindex("\\boxed", 0, never_closed)]
    return (_after_hashes(prose) if start < 0 else _bare(text[start:end])), prose


def _after_hashes(text: str) -> str | None:
    """What follows the last `####`: a number, or any last line; elsewhere `####` is a Markdown heading."""
    _, found, after = text.rstrip().rpartition("####")
    line, more, _ = after.partition("\n")
    number = _NUMBER.fullmatch(line.strip())
    return None if not found or (more and not number) else number[1] if number else _bare(line)


def grade_rows(rows: Iterable[dict], completion_field: str, answer_field: str, grader: "Grader") -> Iterator[Verdict]:
    """A verdict for each row, in order, as they come."""
    numbered = enumerate(rows, start=1)
    while chunk := list(islice(numbered, ROWS_AT_ONCE)):
        completions = [_text(row, completion_field, number) for number, row in chunk]
        answers = [_text(row, answer_field, number) for number, row in chunk]
        yield from grader.grade(completions, answers)


def tally(verdicts: list[Verdict]) -> dict[str, int | float | None]:
    """Rows, how many could be judged, how many are right, and their share of the judged."""
    graded = [verdict.correct for verdict in verdicts if verdict.correct is not None]
    accuracy = sum(graded) / len(graded) if graded else None
    return {"rows": len(verdicts), "judged": len(graded), "right": sum(graded), "accuracy": accuracy}


def _text(row: dict, name: str, number: int) -> str:
    if name not in row:
        raise DataError(f"row {number} has no field '{name}'{nearest(name, row)}")
    value = row[name]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise DataError(f"row {number} holds {value!r:.40} in '{name}'; give text or a number, or name another field")
    return str(value)


class Grader(AbstractContextManager):
    """Judges completions against gold answers, with workers that start when first needed and end with `close`.

    `fast=False` sends plain integers to Math-Verify too.
    """

    def __init__(self, workers: int | None = None, timeout_s: float = 2.0, fast: bool = True) -> None:
        self.workers = workers or min(os.cpu_count() or 1, 4)
        self.timeout_s = timeout_s
        self.took_longer = f"took longer than {timeout_s:g} s"
        self.fast = fast
        self._remembered: OrderedDict[Pair, Verdict] = OrderedDict()
        self._pool: Any = None
        self._end_workers = lambda: None
        self._lock = threading.RLock()

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers; the next hard question starts new ones."""
        with self._lock:
            self._end_workers()
            self._pool = None

    def grade(self, completions: list[str], answers: list[str]) -> list[Verdict]:
        """A verdict for each completion, in order."""
        pairs = [read(completion, answer) for completion, answer in zip(completions, answers, strict=True)]
        verdicts = self._verdicts(pairs)
        hung = [pair for pair in verdicts if verdicts[pair].note in (self.took_longer, DIED)]
        fine = self._check(pair.gold for pair in hung)
        verdicts |= {pair: replace(verdicts[pair], correct=None, note=BAD_GOLD) for pair in hung if not fine[pair.gold]}
        return [verdicts[pair] for pair in pairs]

    def check_gold(self, answers: list[str]) -> list[bool]:
        """Whether each gold answer can be parsed and, put in a box, is judged right."""
        golds = [gold_text(answer) for answer in answers]
        fine = self._check(golds)
        return [fine[gold] for gold in golds]

    def _check(self, golds: Iterable[str]) -> dict[str, bool]:
        verdicts = self._verdicts([Pair(gold, gold) for gold in golds])
        return {pair.gold: verdict.correct is True for pair, verdict in verdicts.items()}

    def _verdicts(self, pairs: list[Pair]) -> dict[Pair, Verdict]:
        """Each distinct pair's verdict: seen at a glance, remembered or compared by a worker."""
        with self._lock:
            known = {pair: self._at_a_glance(pair) or self._remembered.get(pair) for pair in pairs}
            if hard := [pair for pair, verdict in known.items() if verdict is None]:
                known.update(zip(hard, self._ask(hard), strict=True))
            for pair, verdict in known.items():
                self._remembered[pair] = verdict
                self._remembered.move_to_end(pair)
            while len(self._remembered) > REMEMBERED_PAIRS:
                self._remembered.popitem(last=False)
        return known

    def _at_a_glance(self, pair: Pair) -> Verdict | None:
        if not 0 < len(pair.gold) <= MAX_ANSWER_CHARS:
            return Verdict(None, pair.answer or None, 0.0, BAD_GOLD)
        if self.fast and _INTEGER.fullmatch(pair.gold):
            if not pair.answer and not pair.prose:
                return Verdict(False, None, 0.0, pair.why_not)
            if _INTEGER.fullmatch(pair.answer):
                same = int(pair.gold.replace(",", "")) == int(pair.answer.replace(",", ""))
                return Verdict(same, pair.answer, 0.0)
        return None

    def _ask(self, pairs: list[Pair]) -> list[Verdict]:
        try:
            return self._ask_once(pairs)
        except RuntimeError:  # pebble gives up a pool whose worker died while idle
            return self._ask_once(pairs)

    def _ask_once(self, pairs: list[Pair]) -> list[Verdict]:
        if self._pool is None:
            self._pool = _start_pool(self.workers)
            self._end_workers = weakref.finalize(self, _stop_pool, self._pool)
        wall_s = self.timeout_s * (30 if hasattr(signal, "setitimer") else 1)
        try:
            tasks = [self._pool.schedule(_compare, (pair, self.timeout_s), timeout=wall_s) for pair in pairs]
            return [self._outcome(task, pair) for task, pair in zip(tasks, pairs, strict=True)]
        except BaseException:
            self.close()
            raise

    def _outcome(self, task: Any, pair: Pair) -> Verdict:
        error = task.exception()
        if error is None or isinstance(error, BrokenExecutor):
            return task.result()
        timed_out = isinstance(error, TimeoutError) or getattr(error, "exitcode", 0) == -_SIGPROF
        return Verdict(False, pair.answer or None, self.timeout_s, self.took_longer if timed_out else DIED)


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


def _start_pool(workers: int) -> Any:
    from pebble import ProcessPool

    context = _Context()
    if os.name == "posix":
        context.set_forkserver_preload(["math_verify", "pebble"])
    return ProcessPool(workers, initializer=_prepare_worker, context=context)


def _stop_pool(pool: Any) -> None:
    pool.stop()
    pool.join()


def _prepare_worker() -> None:
    """Make the worker killable and small, and load what it needs before its first timed task."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    with suppress(ImportError, ValueError):  # Windows and macOS have no such limit
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (WORKER_MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    _ask_math_verify(Pair("x^2 + 2x + 1", "(x + 1)^2"))


def _compare(pair: Pair, timeout_s: float) -> Verdict:
    """Runs in a worker, which the kernel ends when the time is over."""
    started = time.process_time()
    _end_me_after(timeout_s)
    try:
        correct, extracted, note = _ask_math_verify(pair)
    finally:
        _end_me_after(0)
    return Verdict(correct, extracted, time.process_time() - started, note)


def _end_me_after(seconds: float) -> None:
    """Have the kernel kill this process after so much work, whatever it does; 0 calls it off."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _ask_math_verify(pair: Pair) -> tuple[bool | None, str | None, str]:
    from math_verify import parse, verify

    gold = parse(f"\\boxed{{{pair.gold}}}", parsing_timeout=None)
    if all(isinstance(part, str) for part in gold):  # the text alone: it is no expression
        return None, pair.answer or None, BAD_GOLD
    said = parse(f"\\boxed{{{pair.answer}}}" if pair.answer else pair.prose, parsing_timeout=None)
    if not said:
        return False, None, pair.why_not
    extracted = pair.answer or next((part for part in said if isinstance(part, str)), None)
    return verify(gold, said, timeout_seconds=None), extracted, ""
