"""Attempts with their critiques, to learn to criticise and so to reason."""

from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from tinyreason.data._source import Source
from tinyreason.data.columns import whole
from tinyreason.data.dropped import Dropped
from tinyreason.data.files import read_lines, read_rows
from tinyreason.errors import ConfigError, DataError
from tinyreason.example import Example
from tinyreason.prompts import CRITIQUE_REQUEST

REQUEST_COLUMNS = ("prompt", "input")
CRITIQUE_COLUMNS = ("completion", "critique", "output")
"""Columns of the sets built here, then of those published (WebInstruct-CFT: instruction, input, output)."""


class Critiques(Source):
    """Reads requests to assess an attempt, each with a critique that ends in a verdict: critique fine-tuning's set.

    Why: critiques of noisy answers teach more than imitating correct ones (CFT, arXiv 2501.17703), and about 600 of
    attempts at one problem are enough (One-Shot CFT, arXiv 2506.03295).

    Reward hacking: a critique whose verdict is incorrect teaches incorrect verdicts; `tinyreason critiques build` keeps
    only those that agree with the grader.

    Example: `data: {kind: critiques, file: critiques.jsonl}`, as `tinyreason critiques build` writes it, or a
    published set: columns query, response and critique, or input and output (WebInstruct-CFT), or a conversation
    (messages, or query and response alone), whose last turn is the critique.
    """

    kind: Literal["critiques"] = "critiques"
    size: Annotated[int, Field(ge=1)] | None = None
    """Number of rows, from the first on. Unset: all."""

    @property
    def is_taken_whole(self) -> bool:
        """Returns that nothing is held back: a critique is not a problem that can be asked."""
        return False

    def load(self, needs_answers: bool = True) -> list[Example]:
        """Returns the requests with their critiques, in the order of the source; an answer is never needed."""
        if self.world:
            raise ConfigError(
                f"no critiques come with {self.world.title}; give data.file, or have them built by critiques:"
            )
        dropped = self.dropped()
        found = (self.example(number, row, dropped) for number, row in enumerate(self.rows()))
        examples = list(islice((example for example in found if example), self.size))
        self.check_size(examples, self.size, dropped)
        return examples

    def example(self, number: int, row: dict, dropped: Dropped) -> Example | None:
        """Returns a row's example, in any of the forms that sets are published in; None where it lacks something."""
        request, critique = request_and_critique(row)
        for text, what, wanted in (
            (request, "request", "prompt, nor query and response"),
            (critique, "critique", "completion, critique nor output"),
        ):
            if not isinstance(text, str) or not text.strip():
                sentence = f"{self.origin} row {number + 1} has no usable {wanted}; give it one."
                dropped.add(what, str(row.get("id", number)), sentence)
                return None
        messages = ({"role": "user", "content": request},)
        example = Example(str(row.get("id", number)), messages, "", critique, meta={"is_whole_request": True})
        return whole(example, f"{self.origin} row {number + 1}")

    def held_out(self, count: int, purpose: str, without: set[str]) -> list[Example]:
        """Refuses: a critique is not a problem that can be asked."""
        raise DataError(
            f"{self.origin} holds critiques, not problems to measure on; set evaluation.data={{kind: problems, …}}."
        )

    def describe(self) -> str:
        """Returns what is trained on, in a few words."""
        return f"{f'the first {self.size:,}' if self.size else 'all'} critiques of {self.origin}"


def request_and_critique(row: dict) -> tuple[str | None, str | None]:
    """Returns what a row asks for and the critique; None what it lacks."""
    columns = (REQUEST_COLUMNS, CRITIQUE_COLUMNS)
    request, critique = (next((row[name] for name in names if row.get(name)), None) for names in columns)
    match row:
        case {"messages": [*_, {"role": "user", "content": asked}, {"role": "assistant", "content": answered}]}:
            return asked, answered
        case {"query": str(query), "response": str(response)} if request is None:
            if critique is None:  # as ms-swift has it, a question and what is answered
                return query, response
            return CRITIQUE_REQUEST.format(problem=query, attempt=response), critique
    return request, critique


def holds_critiques(file: Path) -> bool:
    """Returns whether the first row of a file is a request with a critique. Errors: `DataError`."""
    rows = read_lines(file) if file.suffix.lower() == ".jsonl" else iter(read_rows(file))
    return all(isinstance(text, str) for text in request_and_critique(next(rows, {})))
