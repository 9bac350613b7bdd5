"""Gathers attempts at the problems: read from a file, made by the oracle, or sampled from models."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from tinyreason.data import read_rows, word_problems
from tinyreason.data.columns import first_text
from tinyreason.errors import ConfigError, DataError
from tinyreason.example import Example
from tinyreason.grading.grader import Grader
from tinyreason.grading.thought import said
from tinyreason.prompts import chat_messages
from tinyreason.sandbox import oracle
from tinyreason.sandbox.reader import read_attempt, read_problem
from tinyreason.teachers.local import Local
from tinyreason.teachers.request import Attempt, Request, request_id

ATTEMPT_COLUMNS = ("attempt", "completion", "response", "solution")

Made = tuple[Example, str, str]
"""(problem, text, by whom)."""


def read_attempts(path: Path, examples: list[Example], dropped: Counter[str]) -> list[Made]:
    """Returns the file's attempts at these problems; a row says by `problem` or `problem_id` at which one it is."""
    by_id = {example.id: example for example in examples}
    by_text = {example.problem.strip(): example for example in examples}
    made, foreign = [], []
    for number, row in enumerate(read_rows(path), 1):
        text = first_text(row, ATTEMPT_COLUMNS)
        problem, id = row.get("problem"), row.get("problem_id")
        if text is None or (problem is None and id is None):
            raise DataError(
                f"{path} row {number} is not an attempt; it needs '{ATTEMPT_COLUMNS[0]}' (or "
                f"{', '.join(ATTEMPT_COLUMNS[1:])}) and 'problem_id' or 'problem'."
            )
        example = by_id.get(str(id)) if problem is None else by_text.get(str(problem).strip())
        if example is None:
            foreign.append(id if problem is None else str(problem))
        else:
            made.append((example, text, str(row.get("attempt_by") or path.name)))
    if not made:
        asked = f"'{examples[0].id}'" if len(examples) == 1 else f"the {len(examples):,} of --data"
        raise DataError(
            f"{path} has no attempt at problem {asked}; it has attempts at '{foreign[0]:.60}'"
            f"{' and others' if len(set(foreign)) > 1 else ''}: choose it with --id, or give another file."
        )
    if foreign:
        dropped["attempt at another problem"] = len(foreign)
    return made


def oracle_attempts(examples: list[Example], count: int, seed: int) -> Iterator[Made]:
    """Yields attempts as a student of generated problems makes them, `count` at each problem."""
    for example in examples:
        rng = random.Random(f"{example.problem}/{seed}")
        if words := word_problems.problem_of(example.meta):
            yield from ((example, word_problems.student_attempt(words, rng), "oracle") for _ in range(count))
            continue
        problem = read_problem(example.problem)
        if problem is None:
            raise ConfigError(
                f"--from oracle makes attempts at the sandbox's and word problems only, and problem '{example.id}' is "
                "not one."
            )
        yield from ((example, oracle.attempt(problem, rng).text, "oracle") for _ in range(count))


def attempt_requests(source: Local, examples: list[Example], count: int) -> list[Request]:
    """Returns what a model is asked when its attempts are wanted: the problem as in training and evaluation."""
    requests = []
    for example in examples:
        messages = tuple(chat_messages(example, "plain" if read_problem(example.problem) else "boxed"))
        ids = (request_id(messages, sample, source.settings) for sample in range(count))
        requests += [Request(id, example, messages) for id in ids]
    return requests


def graded_attempts(made: Iterable[Made], grader: Grader, dropped: Counter[str]) -> list[Attempt]:
    """Returns each different attempt once, graded."""
    different: dict[tuple[str, str], Made] = {}
    for example, completion, by in made:
        text = readable(example, completion)
        if not text:
            dropped["attempt without an answer"] += 1
        elif (example.id, text) in different:
            dropped["attempt made before"] += 1
        else:
            different[example.id, text] = example, text, by
    asked = [example for example, _, _ in different.values()]
    attempts, verdicts = [], grader.grade_examples([text for _, text in different], asked)
    for (example, text, by), verdict in zip(different.values(), verdicts, strict=True):
        if verdict.correct is None:
            dropped["attempt that cannot be graded"] += 1
        else:
            attempts.append(Attempt(example, text, by, verdict.correct))
    return attempts


def readable(example: Example, completion: str) -> str:
    """Returns the attempt in a completion: of a sandbox problem its steps and answer, else all after the thoughts."""
    problem = read_problem(example.problem)
    if problem:
        attempt = read_attempt(problem, completion)
        return attempt.text if attempt else ""
    return (said(completion) or "").strip()
