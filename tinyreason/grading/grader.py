"""Decides alone whether a completion is correct: rewards, evaluation and `tinyreason grade` all ask here.

Numbers, dates, words and the like are compared here, exactly. Formulas are Math-Verify's; an example may name another
grader of `graders/`. Both are asked in worker processes, because
an answer such as `9^{9^{9^9}}` hangs or eats the memory of whoever reads it and only the kernel can stop that: their
memory is capped and a timer kills them at the item's time limit. Each comparison is a task of its own, so a killed one
costs only itself, and sending it (0.1 ms) costs little beside reading LaTeX (2 to 10 ms). Repeated pairs are compared
once.
"""

import os
import re
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from tinyreason.errors import DataError, nearest
from tinyreason.example import Example
from tinyreason.grading.answers import MAX_ANSWER_CHARS, Pair, gold_text, read_marked_pairs, read_pairs
from tinyreason.grading.graders import BAD_GOLD, read_rule
from tinyreason.grading.values import compare_values, is_gradable
from tinyreason.grading.worker import ran_out_of_time, schedule, start_pool, stop_pool

REMEMBERED_PAIRS = 4_096
ROWS_AT_ONCE = 1_000
DIED = "grader process died"

_INTEGER = re.compile(r"[-+]?[0-9]{1,40}|-?[1-9][0-9]{0,2}(?:,[0-9]{3}){1,12}")


@dataclass(frozen=True)
class Verdict:
    """Says whether a completion is correct."""

    correct: bool | None  # None: the gold answer cannot be parsed, so nobody can tell
    extracted: str | None
    seconds: float  # of processor time; a repeated pair carries the figure of the first
    note: str = ""


def grade_rows(rows: Iterable[dict], completion_field: str, answer_field: str, grader: "Grader") -> Iterator[Verdict]:
    """Yields a verdict for each row, in order, as they come. Errors: `DataError` where a row lacks a field.

    A row's `truncated` and `problem`, where it has them, are heeded.
    """
    numbered = enumerate(rows, start=1)
    while chunk := list(islice(numbered, ROWS_AT_ONCE)):
        completions = [_text(row, completion_field, number, "--completion-field") for number, row in chunk]
        answers = [_text(row, answer_field, number, "--answer-field") for number, row in chunk]
        truncated = [row.get("truncated") is True for _, row in chunk]
        problems = [row["problem"] if isinstance(row.get("problem"), str) else "" for _, row in chunk]
        yield from grader.grade(completions, answers, truncated, problems)


def tally(verdicts: list[Verdict]) -> dict[str, int | float | None]:
    """Counts the rows, how many could be graded ("judged") and are correct ("right"), and the latter's share."""
    graded = [verdict.correct for verdict in verdicts if verdict.correct is not None]
    accuracy = sum(graded) / len(graded) if graded else None
    return {"rows": len(verdicts), "judged": len(graded), "right": sum(graded), "accuracy": accuracy}


def _text(row: dict, name: str, number: int, option: str) -> str:
    if name not in row:
        raise DataError(f"row {number} has no field '{name}'{nearest(name, row)}; name another with {option} COLUMN.")
    value = row[name]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise DataError(
            f"row {number} holds {value!r:.40} in '{name}'; give text or a number, or name another with {option}."
        )
    return str(value)


def _all_correct(verdicts: list[Verdict]) -> Verdict:
    """Returns the verdict of a completion that offers several answers: the first that is not correct, else the last."""
    return next((verdict for verdict in verdicts if not verdict.correct), verdicts[-1])


def _example(problem: str, answer: str) -> Example:
    return Example("", ({"role": "user", "content": problem},), answer)


def _pairs_of(completion: str, example: Example, is_truncated: bool, is_thought_open: bool) -> list[Pair]:
    gold, rule = gold_text(example.answer), example.rule
    if not rule:
        return read_pairs(completion, gold, is_truncated, example.problem, is_thought_open)
    wanted = Pair(gold, rule=rule)
    return read_marked_pairs(completion, wanted, read_rule(rule).find, is_truncated, is_thought_open)


class Grader(AbstractContextManager):
    """Grades completions against gold answers, with workers that start when first needed and end with `close`.

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
        """Ends the workers; the next hard question starts new ones."""
        with self._lock:
            self._end_workers()
            self._pool = None

    def grade(
        self,
        completions: list[str],
        answers: list[str],
        truncated: Sequence[bool] | None = None,
        problems: Sequence[str] | None = None,
        is_thought_open: bool = False,
    ) -> list[Verdict]:
        """Returns a verdict by the usual grader, `math`, for each completion, in order.

        `truncated`: whether the token limit ended it. `problems`: their texts, so that what only repeats one is
        not an answer. `is_thought_open`: whether the prompt ended in `<think>`, so that completions begin in a thought.
        """
        examples = list(map(_example, problems or [""] * len(completions), answers))
        return self.grade_examples(completions, examples, truncated, is_thought_open)

    def grade_examples(
        self,
        completions: list[str],
        examples: Sequence[Example],
        truncated: Sequence[bool] | None = None,
        is_thought_open: bool = False,
    ) -> list[Verdict]:
        """Returns a verdict for each completion, in order, by the grader of the example that it answers."""
        rows = zip(completions, examples, truncated or [False] * len(completions), strict=True)
        pairs_N = [_pairs_of(text, example, is_truncated, is_thought_open) for text, example, is_truncated in rows]
        verdicts = self._verdicts([pair for pairs in pairs_N for pair in pairs])
        hung = [pair for pair in verdicts if verdicts[pair].note in (self.took_longer, DIED)]
        fine = self._check([(pair.gold, pair.rule) for pair in hung])
        bad = [pair for pair in hung if not fine[pair.gold, pair.rule]]
        verdicts |= {pair: replace(verdicts[pair], correct=None, note=BAD_GOLD) for pair in bad}
        return [_all_correct([verdicts[pair] for pair in pairs]) for pairs in pairs_N]

    def check_gold(self, examples: Iterable[Example]) -> list[bool]:
        """Returns for each example whether its gold answer can be parsed and, put in a box, is graded correct."""
        golds = [(gold_text(example.answer), example.rule) for example in examples]
        fine = self._check(golds)
        return [fine[gold] for gold in golds]

    def glance_at_gold(self, example: Example) -> bool | None:
        """Returns whether a gold answer can be graded, without a worker; None where only a worker can tell."""
        gold = gold_text(example.answer)
        verdict = self._at_a_glance(Pair(gold, gold, rule=example.rule))
        return None if verdict is None else verdict.correct is True

    def compare(self, pair: Pair) -> Verdict:
        """Returns whether an answer that was found already is correct."""
        return self._verdicts([pair])[pair]

    def _check(self, golds: list[tuple[str, str]]) -> dict[tuple[str, str], bool]:
        """Returns (gold text, rule) → whether it is correct by itself."""
        verdicts = self._verdicts([Pair(gold, gold, rule=rule) for gold, rule in golds])
        return {(pair.gold, pair.rule): verdict.correct is True for pair, verdict in verdicts.items()}

    def _verdicts(self, pairs: list[Pair]) -> dict[Pair, Verdict]:
        """Returns each distinct pair's verdict: seen at a glance, remembered or compared by a worker."""
        with self._lock:
            known = {pair: self._at_a_glance(pair) or self._remembered.get(pair) for pair in pairs}
            if hard := [pair for pair, verdict in known.items() if verdict is None]:
                for rule in {pair.rule for pair in hard}:
                    read_rule(rule).check_installed()
                known.update(zip(hard, self._ask(hard), strict=True))
            for pair, verdict in known.items():
                self._remembered[pair] = verdict
                self._remembered.move_to_end(pair)
            while len(self._remembered) > REMEMBERED_PAIRS:
                self._remembered.popitem(last=False)
        return known

    def _at_a_glance(self, pair: Pair) -> Verdict | None:
        """Returns the verdict where no formula has to be read."""
        if not 0 < len(pair.gold) <= MAX_ANSWER_CHARS:
            return Verdict(None, pair.answer or None, 0.0, BAD_GOLD)
        if pair.rule:
            return None
        if pair.why_not:
            return Verdict(False, pair.answer or None, 0.0, pair.why_not) if is_gradable(pair.gold) else None
        if _INTEGER.fullmatch(pair.gold) and _INTEGER.fullmatch(pair.answer):
            same = int(pair.gold.replace(",", "")) == int(pair.answer.replace(",", ""))
            return Verdict(same, pair.answer, 0.0) if self.fast else None
        correct, note = compare_values(pair.gold, pair.answer)
        return None if correct is None else Verdict(correct, pair.answer, 0.0, note)

    def _ask(self, pairs: list[Pair]) -> list[Verdict]:
        try:
            return self._ask_once(pairs)
        except RuntimeError:  # pebble gives up a pool whose worker died while idle
            return self._ask_once(pairs)

    def _ask_once(self, pairs: list[Pair]) -> list[Verdict]:
        if self._pool is None:
            self._pool = start_pool(self.workers)
            self._end_workers = weakref.finalize(self, stop_pool, self._pool)
        try:
            tasks = [schedule(self._pool, pair, self.timeout_s) for pair in pairs]
            return [self._outcome(task, pair) for task, pair in zip(tasks, pairs, strict=True)]
        except BaseException:
            self.close()
            raise

    def _outcome(self, task: Any, pair: Pair) -> Verdict:
        error = task.exception()
        if error is None or isinstance(error, BrokenExecutor):
            return Verdict(*task.result())
        return Verdict(False, pair.answer or None, self.timeout_s, self.took_longer if ran_out_of_time(error) else DIED)
