"""Builds a set: problems → attempts → requests → teacher → response cache → filters → a JSONL for any trainer.

A row of a set of critiques:
    {"id", "problem_id", "problem", "answer", "attempt", "attempt_correct", "critique", "verdict": "right" | "wrong",
     "prompt": the user's message for training, "completion": the same as critique,
     "provenance": {"attempt_by", "teacher", "model", "request_sha256", "tokens_in", "tokens_out", "cost"}}
A row of a set of solutions:
    {"id", "problem_id", "problem", "answer", "prompt": the problem, "completion": the worked solution,
     "provenance": {"teacher", "model", "request_sha256", "tokens_in", "tokens_out", "cost"}}

Beside OUT stands OUT.answers.jsonl, the response cache: every answer and every sampled attempt as it arrived. While it
is there, the same line typed again resumes where it stopped and asks nothing twice.
"""

import json
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
    """Says what came of it, printed at the end."""

    out: str
    kept: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    """Why → how many."""
    requests: int = 0
    from_cache: int = 0
    """Requests that an earlier run had answered."""
    unanswered: int = 0
    """Requests without an answer."""
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = 0.0
    """Cost of all answers of this set, in whatever run; None = no prices were given."""
    possible_cost: float = 0.0
    """Most that answers which arrived broken may have cost besides."""
    seconds: float = 0.0
    """Seconds of this run."""
    stopped: str | None = None
    """Why not every request was sent."""


def build_critiques(
    config: CritiqueBuildConfig, out: Path, console: Console, problems: list[Example] | None = None
) -> Summary:
    """Has attempts criticised, keeps the critiques whose verdict agrees with the grader, and writes `out`.

    `problems`: those of `config.data` that attempts are made at; None = all.
    """
    build, words = Build(config, out, console), config.teacher.reads_instructions
    with build.cache, Grader() as grader:
        examples = build.problems(grader, problems)
        attempts = graded_attempts(build.attempts(examples), grader, build.dropped)
        check_not_empty(attempts, "attempt", build.dropped)
        asked = ((a.example, critique_messages(a.example, a.text, words), a) for a in attempts)
        requests = build.requests(asked)
        build.ask(requests, "critiques", verdict_of, "ends with 'Conclusion: right' or 'Conclusion: wrong'")
        rows = [critique_row(request, answer, config.teacher) for request, answer in build.answered(requests)]
        rows = build.keep(rows, "no verdict at the end", lambda row: row["verdict"])
        rows = build.keep(
            rows, "verdict against the grader", lambda row: (row["verdict"] == "right") == row["attempt_correct"]
        )
        return build.finish(rows, "critique")


def build_solutions(config: SolutionBuildConfig, out: Path, console: Console) -> Summary:
    """Has problems solved, keeps the solutions that are graded correct, and writes `out`."""
    build, words = Build(config, out, console), config.teacher.reads_instructions
    with build.cache, Grader() as grader:
        examples = build.problems(grader)
        requests = build.requests((example, solution_messages(example, words), None) for example in examples)
        build.ask(requests, "solutions")
        rows = [solution_row(request, answer, config.teacher) for request, answer in build.answered(requests)]
        asked = {f"{one.example.id}/{one.id[:16]}": one.example for one in requests}
        verdicts = grader.grade_examples([row["completion"] for row in rows], [asked[row["id"]] for row in rows])
        correct = {row["id"] for row, verdict in zip(rows, verdicts, strict=True) if verdict.correct}
        rows = build.keep(rows, "incorrect, says the grader", lambda row: row["id"] in correct)
        return build.finish(rows, "solution")


class Build:
    """Builds one set, step by step."""

    def __init__(self, config: SolutionBuildConfig, out: Path, console: Console):
        self.config, self.out, self.console, self.started = config, out, console, time.monotonic()
        self.summary = Summary(str(out))
        self.dropped: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        config.teacher.check_ready()
        cache = out.with_name(f"{out.name}.answers.jsonl")
        if not out.parent.is_dir():
            raise FolderError(f"there is no folder {out.parent}; make it, or choose another --out.")
        if out.is_dir() or (out.exists() and not cache.exists()):
            raise FolderError(f"{out} is there already and was not built here; choose another --out.")
        self.cache = ResponseCache(cache)

    def problems(self, grader: Grader, examples: list[Example] | None = None) -> list[Example]:
        """Returns the problems, of these or of all, whose gold answer the grader can read."""
        if examples is None and self.config.data.transforms:
            raise ConfigError("data.transforms are of what a run trains on, and a set is built of all; leave them out.")
        examples = self.config.data.load() if examples is None else examples
        fine = grader.check_gold(examples)
        readable = [example for example, is_fine in zip(examples, fine, strict=True) if is_fine]
        self.dropped["problem whose answer cannot be graded"] += len(examples) - len(readable)
        if not readable:
            first = examples[0]
            raise DataError(f"the answer of problem '{first.id}', '{first.answer:.60}', cannot be graded; mend --data.")
        return readable

    def attempts(self, examples: list[Example]) -> list[tuple[Example, str, str]]:
        """Returns (problem, text, by whom), from a file or from all who make them."""
        config, made = self.config, []
        if config.attempts_file:
            return read_attempts(config.attempts_file, examples, self.dropped)
        makers = config.attempts_by or config.data.usual_attempts_by
        if not makers:
            raise ConfigError("nobody makes the attempts; type --from MODEL, once or more, or --attempts-file FILE.")
        for place, maker in enumerate(makers):
            share = config.attempts // len(makers) + (place < config.attempts % len(makers))
            if maker == "oracle":
                made += oracle_attempts(examples, share, config.seed)
                continue
            model = Local(model=maker, seed=config.seed)
            requests = attempt_requests(model, examples, share)
            collect(model, requests, self.cache, self.console, f"attempts by {maker}")
            made += [(request.example, self.cache[request.id].text, maker) for request in requests]
        return made

    def requests(self, asked: Iterable[tuple[Example, Any, Attempt | None]]) -> list[Request]:
        """Returns each different request once, or `samples` times."""
        requests: dict[str, Request] = {}
        for example, messages, attempt in asked:
            for sample in range(self.config.samples):
                id = request_id(messages, sample, self.config.teacher.settings)
                self.dropped["problem that came before"] += id in requests
                requests.setdefault(id, Request(id, example, messages, attempt))
        return list(requests.values())

    def ask(self, requests: list[Request], what: str, *usable: Any) -> None:
        """Has the requests answered, as far as the money goes."""
        self.summary.requests = len(requests)
        self.summary.from_cache = sum(request.id in self.cache for request in requests)
        try:
            self.faults = collect(self.config.teacher, requests, self.cache, self.console, what, *usable)
        except CostLimit as limit:
            self.summary.stopped = str(limit)

    def answered(self, requests: list[Request]) -> Iterator[tuple[Request, Answer]]:
        """Returns each answered request with its answer, and puts the sums into the summary."""
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
        """Returns the rows that pass; the others are counted."""
        kept = [row for row in rows if test(row)]
        self.dropped[otherwise] += len(rows) - len(kept)
        return kept

    def finish(self, rows: list[Row], what: str) -> Summary:
        """Filters the rows, writes them, and says what happened."""
        config, summary = self.config, self.summary
        others = islice(config.data.examples(), config.data.usual_size)
        rows = config.filters.apply(rows, others, self.dropped)
        if not summary.stopped:
            check_not_empty(rows, what, self.dropped, next(iter(self.faults), ""))
        if rows:
            write_rows(self.out, rows)
        summary.kept, summary.dropped = len(rows), dict((+self.dropped).most_common())
        summary.seconds = time.monotonic() - self.started
        return summary


def critique_row(request: Request, answer: Answer, teacher: Teacher) -> Row:
    """Returns the row as the head of this file says."""
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
    """Returns the row as the head of this file says."""
    row = _head(request) | {"prompt": request.example.problem, "completion": answer.text.strip()}
    return row | {"provenance": _provenance(answer, teacher)}


def _head(request: Request) -> Row:
    example = request.example
    names = {"id": f"{example.id}/{request.id[:16]}", "problem_id": example.id}
    grader = {"grader": json.loads(example.rule)} if example.rule else {}
    return names | {"problem": example.problem, "answer": example.answer} | grader


def _provenance(answer: Answer, teacher: Teacher) -> Row:
    counts = {name: getattr(answer, name) for name in ("request_sha256", "tokens_in", "tokens_out", "cost")}
    return {"teacher": teacher.kind, "model": teacher.title} | counts
