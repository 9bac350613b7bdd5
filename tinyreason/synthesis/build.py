"""Builds a set: problems → attempts → requests → teacher → journal → filters → a JSONL that any trainer can read.

A row of a set of critiques:
    {"id", "problem_id", "problem", "answer", "attempt", "attempt_correct", "critique", "verdict": "right" | "wrong",
     "prompt": the user's message for training, "completion": the same as critique,
     "provenance": {"attempt_by", "teacher", "model", "request_sha256", "tokens_in", "tokens_out", "cost"}}
A row of a set of solutions:
    {"id", "problem_id", "problem", "answer", "prompt": the problem, "completion": the worked solution,
     "provenance": {"teacher", "model", "request_sha256", "tokens_in", "tokens_out", "cost"}}

Beside OUT stands OUT.answers.jsonl, the journal: every answer and every sampled attempt as it arrived. While it is
there, the same line typed again goes on where it stopped and asks nothing twice.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from tinyreason.config.build_config import CritiqueBuildConfig, SolutionBuildConfig
from tinyreason.console import Console
from tinyreason.data.filters import Row, check_not_empty
from tinyreason.errors import ConfigError, CostLimit, DataError, FolderError
from tinyreason.example import Example
from tinyreason.grading.grader import Grader
from tinyreason.synthesis.attempts import attempt_requests, graded_attempts, oracle_attempts, read_attempts
from tinyreason.synthesis.collect import collect
from tinyreason.synthesis.response_cache import ResponseCache, write_rows
from tinyreason.teachers.local import Local
from tinyreason.teachers.prompts import (
    critique_messages,
    end_in_verdict,
    solution_messages,
    training_request,
    verdict_of,
)
from tinyreason.teachers.request import Answer, Attempt, Request, request_id
from tinyreason.teachers.teacher import Teacher


@dataclass
class Summary:
    """What came of it, printed at the end."""

    out: str
    kept: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    """why → how many"""
    requests: int = 0
    from_cache: int = 0
    """of the requests, those that an earlier run had answered"""
    unanswered: int = 0
    """of the requests, those without an answer"""
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = 0.0
    """of all answers of this set, in whatever run; None = no prices were given"""
    possible_cost: float = 0.0
    """most that replies which arrived broken may have cost besides"""
    seconds: float = 0.0
    """of this run"""
    stopped: str | None = None
    """why not every request was sent"""


def build_critiques(order: CritiqueBuildConfig, out: Path, console: Console) -> Summary:
    """Critiques of attempts, those kept whose verdict agrees with the judge; writes `out`."""
    build, words = Build(order, out, console), order.teacher.reads_instructions
    with build.cache, Grader() as grader:
        examples = build.problems(grader)
        attempts = graded_attempts(build.attempts(examples), grader, build.dropped)
        check_not_empty(attempts, "attempt", build.dropped)
        asked = ((a.example, critique_messages(a.example, a.text, words), a) for a in attempts)
        requests = build.requests(asked)
        build.ask(requests, "critiques", verdict_of, "ends with 'Conclusion: right' or 'Conclusion: wrong'")
        rows = [critique_row(request, answer, order.teacher) for request, answer in build.answered(requests)]
        rows = build.keep(rows, "no verdict at the end", lambda row: row["verdict"])
        rows = build.keep(
            rows, "verdict against the judge", lambda row: (row["verdict"] == "right") == row["attempt_correct"]
        )
        return build.finish(rows, "critique")


def build_solutions(order: SolutionBuildConfig, out: Path, console: Console) -> Summary:
    """Worked solutions, those kept that the judge finds right; writes `out`."""
    build, words = Build(order, out, console), order.teacher.reads_instructions
    with build.cache, Grader() as grader:
        examples = build.problems(grader)
        requests = build.requests((example, solution_messages(example, words), None) for example in examples)
        build.ask(requests, "solutions")
        rows = [solution_row(request, answer, order.teacher) for request, answer in build.answered(requests)]
        verdicts = grader.grade([row["completion"] for row in rows], [row["answer"] for row in rows])
        right = {row["id"] for row, verdict in zip(rows, verdicts, strict=True) if verdict.correct}
        rows = build.keep(rows, "wrong, says the judge", lambda row: row["id"] in right)
        return build.finish(rows, "solution")


class Build:
    """A set in the making."""

    def __init__(self, order: SolutionBuildConfig, out: Path, console: Console):
        self.order, self.out, self.console, self.started = order, out, console, time.monotonic()
        self.summary = Summary(str(out))
        self.dropped: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        order.teacher.check_ready()
        cache = out.with_name(f"{out.name}.answers.jsonl")
        if not out.parent.is_dir():
            raise FolderError(f"there is no folder {out.parent}; make it, or choose another --out.")
        if out.is_dir() or (out.exists() and not cache.exists()):
            raise FolderError(f"{out} is there already and was not built here; choose another --out.")
        self.cache = ResponseCache(cache)

    def problems(self, grader: Grader) -> list[Example]:
        """Those whose gold answer the judge can read."""
        examples = self.order.data.load()
        fine = grader.check_gold([example.answer for example in examples])
        readable = [example for example, is_fine in zip(examples, fine, strict=True) if is_fine]
        self.dropped["problem whose answer cannot be judged"] += len(examples) - len(readable)
        if not readable:
            first = examples[0]
            raise DataError(f"the answer of problem '{first.id}', '{first.answer:.60}', cannot be judged; mend --data.")
        return readable

    def attempts(self, examples: list[Example]) -> list[tuple[Example, str, str]]:
        """(problem, text, by whom), from a file or from all who make them."""
        order, made = self.order, []
        if order.attempts_file:
            return read_attempts(order.attempts_file, examples, self.dropped)
        makers = order.attempts_by or order.data.usual_attempts_by
        if not makers:
            raise ConfigError("nobody makes the attempts; type --from MODEL, once or more, or --attempts-file FILE.")
        for place, maker in enumerate(makers):
            share = order.attempts // len(makers) + (place < order.attempts % len(makers))
            if maker == "oracle":
                made += oracle_attempts(examples, share, order.seed)
                continue
            model = Local(model=maker, seed=order.seed)
            requests = attempt_requests(model, examples, share)
            collect(model, requests, self.cache, self.console, f"attempts by {maker}")
            made += [(request.example, self.cache[request.id].text, maker) for request in requests]
        return made

    def requests(self, asked: Iterable[tuple[Example, Any, Attempt | None]]) -> list[Request]:
        """Each different request once, or `samples` times."""
        requests: dict[str, Request] = {}
        for example, messages, attempt in asked:
            for draw in range(self.order.samples):
                id = request_id(messages, draw, self.order.teacher.settings)
                self.dropped["problem that came before"] += id in requests
                requests.setdefault(id, Request(id, example, messages, attempt))
        return list(requests.values())

    def ask(self, requests: list[Request], what: str, *usable: Any) -> None:
        """Has them answered, as far as the money goes."""
        self.summary.requests = len(requests)
        self.summary.from_cache = sum(request.id in self.cache for request in requests)
        try:
            self.faults = collect(self.order.teacher, requests, self.cache, self.console, what, *usable)
        except CostLimit as limit:
            self.summary.stopped = str(limit)

    def answered(self, requests: list[Request]) -> Iterator[tuple[Request, Answer]]:
        """Each answered request with its answer, and the sums in the summary."""
        summary, answers = self.summary, [self.cache[r.id] for r in requests if r.id in self.cache]
        summary.unanswered = len(requests) - len(answers)
        if not summary.stopped:
            self.dropped["not answered"] += summary.unanswered
        summary.tokens_in = sum(answer.tokens_in or 0 for answer in answers)
        summary.tokens_out = sum(answer.tokens_out or 0 for answer in answers)
        costs = [answer.cost for answer in answers]
        summary.cost = None if None in costs else sum(costs)
        summary.possible_cost = sum(answer.possible_cost for answer in answers)
        return ((r, self.cache[r.id]) for r in requests if r.id in self.cache)

    def keep(self, rows: list[Row], otherwise: str, test: Callable[[Row], Any]) -> list[Row]:
        """The rows that pass; the others are counted."""
        kept = [row for row in rows if test(row)]
        self.dropped[otherwise] += len(rows) - len(kept)
        return kept

    def finish(self, rows: list[Row], what: str) -> Summary:
        """Filters the rows, writes them, and says what happened."""
        order, summary = self.order, self.summary
        others = islice(order.data.examples(), order.data.usual_size)
        rows = order.filters.apply(rows, others, self.dropped)
        if not summary.stopped:
            check_not_empty(rows, what, self.dropped, next(iter(self.faults), ""))
        if rows:
            write_rows(self.out, rows)
        summary.kept, summary.dropped = len(rows), dict((+self.dropped).most_common())
        summary.seconds = time.monotonic() - self.started
        return summary


def critique_row(request: Request, answer: Answer, teacher: Teacher) -> Row:
    """As the head of this file says."""
    example, attempt, critique = request.example, request.attempt, end_in_verdict(answer.text)
    return _head(request) | {
        "attempt": attempt.text,
        "attempt_correct": attempt.correct,
        "critique": critique,
        "verdict": verdict_of(critique),
        "prompt": training_request(example, attempt.text),
        "completion": critique,
        "provenance": {"attempt_by": attempt.by} | _provenance(answer, teacher),
    }


def solution_row(request: Request, answer: Answer, teacher: Teacher) -> Row:
    """As the head of this file says."""
    row = _head(request) | {"prompt": request.example.problem, "completion": answer.text.strip()}
    return row | {"provenance": _provenance(answer, teacher)}


def _head(request: Request) -> Row:
    example = request.example
    names = {"id": f"{example.id}/{request.id[:16]}", "problem_id": example.id}
    return names | {"problem": example.problem, "answer": example.answer}


def _provenance(answer: Answer, teacher: Teacher) -> Row:
    counts = {name: getattr(answer, name) for name in ("request_sha256", "tokens_in", "tokens_out", "cost")}
    return {"teacher": teacher.kind, "model": teacher.title} | counts
