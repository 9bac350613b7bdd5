"""The further ways in which a run's problems are asked for completions to imitate, each written down as it comes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from tinyreason.data.asks import Ask, Try
from tinyreason.errors import TeacherError
from tinyreason.example import Example
from tinyreason.grading.grader import Grader
from tinyreason.inference.local_sampling import load_base_or_adapter
from tinyreason.inference.sampling import BatchRoom, Sampling, sample_completions
from tinyreason.models.chat_template import opens_thought
from tinyreason.runs.folder import RunFolder
from tinyreason.teachers.oracle import Oracle
from tinyreason.teachers.prompts import training_request
from tinyreason.teachers.request import Attempt, Request, Work
from tinyreason.trainers.session import TrainingSession

Row = dict[str, Any]
"""{"id", "sample", "text", "tokens", "truncated", "correct"} of one completion, and "variant" where it has one."""
NO_ANSWER = "The attempt gives no answer."
"""What is said of an attempt at which the oracle finds nothing to criticise."""


@dataclass
class ModelAnswerer:
    """The model that a run samples, asked in other ways; it is loaded when it is first asked."""

    load: Callable[[], tuple[Any, Any]]
    """Returns (model, tokenizer)."""
    sampling: Sampling
    grader: Grader
    advance: Callable[[int], None]
    """Is told of each n completions."""
    room: BatchRoom

    @cached_property
    def model_and_tokenizer(self) -> tuple[Any, Any]:
        """Returns them."""
        return self.load()

    def sample(self, asked: Sequence[Example], temperature: float | None = None) -> list[Try]:
        """Returns a completion of each, as the run samples."""
        return self.sampled_by(*self.model_and_tokenizer, asked, temperature)

    def sampled_by(self, model, tokenizer, asked: Sequence[Example], temperature: float | None) -> list[Try]:
        """Returns a completion of each by this model."""
        warm = self.sampling.temperature if temperature is None else temperature
        sampling = replace(self.sampling, samples=1, temperature=warm)
        found = sample_completions(model, tokenizer, list(asked), sampling, self.advance, self.room)
        return [Try(*one) for one in zip(*found, strict=True)]

    def grade(self, problems: Sequence[Example], tries: Sequence[Try]) -> list[Try]:
        """Returns the tries, graded."""
        is_open = opens_thought(self.model_and_tokenizer[1], self.sampling.template_options)
        texts, truncated = [one.text for one in tries], [one.truncated for one in tries]
        verdicts = self.grader.grade_examples(texts, list(problems), truncated, is_open)
        return [replace(one, correct=verdict.correct) for one, verdict in zip(tries, verdicts, strict=True)]

    def criticise(self, problems: Sequence[Example], texts: Sequence[str], critic: str | None) -> list[str]:
        """Returns what the critic says of each attempt."""
        if critic == "oracle":
            return [oracle_critique(*pair) for pair in zip(problems, texts, strict=True)]
        pairs = list(zip(problems, texts, strict=True))
        asked = [as_request(problem, training_request(problem, text), n) for n, (problem, text) in enumerate(pairs)]
        model, tokenizer = load_base_or_adapter(critic) if critic else self.model_and_tokenizer
        return [one.text.strip() for one in self.sampled_by(model, tokenizer, asked, 0.0)]


def as_request(problem: Example, text: str, number: int) -> Example:
    """Returns what a critic is asked, which is put to it as it stands."""
    messages = ({"role": "user", "content": text},)
    return replace(problem, id=f"{problem.id}/critique/{number}", messages=messages, meta={"is_whole_request": True})


def oracle_critique(problem: Example, text: str) -> str:
    """Returns what the oracle says of an attempt. Errors: `TeacherError` at a problem that it does not know."""
    said: list[str] = []
    request = Request(problem.id, problem, problem.messages, Attempt(problem, text, "model", False))
    try:
        Oracle().answer(Work([request], lambda answer: said.append(answer.text)))
    except TeacherError as error:
        if "finds no" not in str(error):
            raise
    return said[0] if said else NO_ANSWER


def asked_rows(
    session: TrainingSession, problems: list[Example], rows: list[Row], sampling: Sampling, load: Callable
) -> list[Row]:
    """Returns the completions of the data's further ways of asking, in their order; `rows` are the plain ones.

    They lie in the session's folder, and what is there is not sampled again. Errors: `Stopped` between two parts.
    """
    tried: dict[str, list[Try]] = {example.id: [] for example in problems}
    for row in rows:
        tried[row["id"]].append(Try(*(row[name] for name in ("text", "tokens", "truncated", "correct"))))
    found = []
    for number, ask in enumerate(session.config.data.asks, 1):
        unsolved = [one for one in problems if not any(each.correct for each in tried[one.id])]
        of = problems if ask.of_all else unsolved
        for line in answered(session, ask, f"asked-{number}.jsonl", of, tried, sampling, load):
            for values in line["tries"]:
                sample = len(tried[line["id"]])
                tried[line["id"]].append(Try(**values))
                found.append({"id": line["id"], "sample": sample, **values})
        solved = sum(any(each.correct for each in tried[one.id]) for one in unsolved)
        session.context.console.say(
            f"asked {len(of):,} problems by {ask.kind}: {solved:,} of {len(unsolved):,} unsolved ones are solved"
        )
    return found


def answered(
    session: TrainingSession,
    ask: Ask,
    name: str,
    problems: list[Example],
    tried: dict[str, list[Try]],
    sampling: Sampling,
    load: Callable,
) -> list[Row]:
    """Returns {"id", "tries"} of each problem asked in one of the ways; those not yet in the file are asked now."""
    folder, context = session.folder, session.context
    at_once = max(1, 4 * sampling.batch_size // sampling.samples)
    rows = whole_rows(folder, name, at_once, len(problems))
    context.deadline.restart_timing()
    with context.console.live(f"asking by {ask.kind}", total=len(problems), done=len(rows)) as live:
        answerer = ModelAnswerer(load, sampling, session.grader, lambda count: None, BatchRoom())
        for at in range(len(rows), len(problems), at_once):
            part = problems[at : at + at_once]
            tries = ask.tries(part, [tried[one.id] for one in part], answerer)
            flat = [one for each in tries for one in each]
            of = [problem for problem, each in zip(part, tries, strict=True) for _ in each]
            graded = iter(answerer.grade(of, flat))
            found = [
                {"id": problem.id, "tries": [next(graded).as_json() for _ in each]}
                for problem, each in zip(part, tries, strict=True)
            ]
            folder.append(name, found)
            rows += found
            live.advance(len(part))
            context.deadline.check()
    return rows


def whole_rows(folder: RunFolder, name: str, at_once: int, wanted: int) -> list[Row]:
    """Returns the rows that are there; what is torn, or of a part that was not finished, is removed and goes again."""
    file = folder.path / name
    if not file.exists():
        return []
    lines = file.read_bytes().splitlines(keepends=True)
    whole = [line for line in lines if line.endswith(b"\n")]
    whole = whole if len(whole) == wanted else whole[: len(whole) // at_once * at_once]
    if len(whole) < len(lines):
        with folder.writing(name):
            file.write_bytes(b"".join(whole))
    return folder.read_rows(name)
