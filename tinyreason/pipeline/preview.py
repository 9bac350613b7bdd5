"""Shows what a run will train on: rows as the model sees them, their lengths, repeats, and overlap with the test."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import groupby
from statistics import median
from typing import Any

from tinyreason.algorithms.rewards import ask_for_tokens
from tinyreason.config.run_config import RunConfig
from tinyreason.config.training_split import training_examples, training_split
from tinyreason.console import Console
from tinyreason.data.held_back import Split
from tinyreason.errors import ModelError, TinyReasonError
from tinyreason.evaluation.contamination import audit_summary, find_contamination
from tinyreason.example import Example
from tinyreason.grading.grader import Grader
from tinyreason.models.chat_template import last_token
from tinyreason.models.load import read_model_config
from tinyreason.models.tokenizer import load_tokenizer
from tinyreason.models.training_rows import IGNORED, Row, context_of, encoded, prompt_of, row_limit, rows_of
from tinyreason.pipeline.fitting import training_prompt_limit
from tinyreason.pipeline.held_out import test_problems
from tinyreason.pipeline.transformed import apply_transforms

SHOWN = 3
OVERLAPS = ("identical", "near_duplicate", "shared_run")


@dataclass(frozen=True)
class ShownRow:
    """One row as the model sees it."""

    id: str
    pieces: list[tuple[str, bool]]
    """The text in order, and whether it is trained on."""
    tokens: int
    trained_tokens: int


@dataclass(frozen=True)
class Preview:
    """What a run will train on."""

    recipe: str
    tier: str
    model: str
    data: str
    kind: str
    """`rows` with a completion that is trained on, or `prompts` that completions are sampled from."""
    shown: list[ShownRow]
    end: dict[str, Any]
    """The token that ends a completion: its `id` and `text`."""
    rows: int
    median_tokens: int
    longest_tokens: int
    limit: int | None
    limit_is: str
    over_limit: int
    """How many rows are longer than the limit: they are left out of the training."""
    duplicates: int
    """How many repeat an earlier row, problem and completion."""
    test: int
    test_is: str
    overlap: dict[str, int]
    """How the test's problems stand in the training data → how many; whole and near copies are left out of the test."""
    transforms: list[str]
    """What each transform of the data did, in a line."""
    rewritten: list[dict[str, Any]]
    """A row that they rewrite, before and after: id, problem, completion, weight, spans; empty where none is."""

    def as_json(self) -> dict[str, Any]:
        """Returns what `preview --json` prints."""
        values = asdict(self)
        for row in values["shown"]:
            row["pieces"] = [{"text": text, "trained": is_trained} for text, is_trained in row["pieces"]]
        return values


def preview(config: RunConfig, console: Console) -> Preview:
    """Reads a run's data and tokenizer and returns what it will train on. Errors: `DataError`, `ModelError`."""
    split, test, test_is = read_parts(config)
    tokenizer = load_tokenizer(config.model)
    examples, transforms, rewritten = transform(config, split.training, tokenizer)
    has_completions = config.train.needs_completions and all(example.completion for example in examples)
    make = rows_of if has_completions else prompt_rows
    if not has_completions:
        examples = ask_for_tokens(config.rewards, examples)
    with console.live("tokenised", total=len(examples)) as live:
        rows = list(read_all(config, tokenizer, examples, make, live.advance))
    limit, limit_is = limit_of(config, has_completions)
    sizes = [len(row["input_ids"]) for _, row in rows]
    fitting = [pair for pair, size in zip(rows, sizes, strict=True) if limit is None or size <= limit]
    end = last_token(tokenizer)
    return Preview(
        config.recipe,
        config.tier,
        config.model.name,
        config.data.describe(),
        "rows" if has_completions else "prompts",
        [shown_row(id, row, tokenizer) for id, row in (fitting or rows)[:SHOWN]],
        {"id": end, "text": tokenizer.decode([end])},
        len(rows),
        round(median(sizes)),
        max(sizes),
        limit,
        limit_is,
        len(rows) - len(fitting),
        sum(count - 1 for count in Counter((e.identity, e.completion) for e in examples).values()),
        len(test),
        test_is,
        overlap_of(config, examples, test, console),
        transforms,
        rewritten,
    )


def transform(
    config: RunConfig, examples: list[Example], tokenizer
) -> tuple[list[Example], list[str], list[dict[str, Any]]]:
    """Returns the rows after the transforms of the data, a line for each, and a row before and after."""
    if not config.data.transforms or config.data.is_sampled:
        return examples, [], []
    lines: list[str] = []
    with Grader() as grader:
        rows, _ = apply_transforms(config, examples, grader, lines.append, tokenizer)
    known = {example.id: example for example in examples}
    pairs = ([shown_example(known[row.id]), shown_example(row)] for row in rows if row.id in known)
    return rows, lines, next((pair for pair in pairs if pair[0] != pair[1]), [])


def shown_example(example: Example) -> dict[str, Any]:
    """Returns what a transform can rewrite of a row."""
    names = ("id", "problem", "answer", "completion", "weight", "spans")
    return {name: getattr(example, name) for name in names}


def read_parts(config: RunConfig) -> tuple[Split, list[Example], str]:
    """Returns what is trained on, what the test takes its problems from, and what that is or why it is not known."""
    examples, own = training_examples(config), config.evaluation.data
    try:
        split = training_split(config, examples)
    except TinyReasonError as error:
        return Split(examples, [], [], 0), [], str(error)
    try:
        test = test_problems(config, split)
    except TinyReasonError as error:
        return split, [], str(error)
    if (own or config.data).is_endless:
        test = test[: config.evaluation.problems]
    return split, test, "held back from it" if split.test else f"of {(own or config.data).origin}"


def prompt_rows(config: RunConfig, tokenizer, example: Example) -> list[Row]:
    """Returns the prompt as a row of which nothing is trained on: its completions are still to come."""
    ids = encoded(tokenizer, prompt_of(config, tokenizer, example))
    return [{"input_ids": ids, "labels": [IGNORED] * len(ids)}]


def read_all(config: RunConfig, tokenizer, examples: list[Example], make: Callable, advance: Callable[[int], None]):
    """Yields (id, row) of every example."""
    for example in examples:
        yield from ((example.id, row) for row in make(config, tokenizer, example))
        advance(1)


def limit_of(config: RunConfig, has_completions: bool) -> tuple[int | None, str]:
    """Returns how many tokens a row, or a prompt, may have, and what says so."""
    try:
        context = context_of(read_model_config(config.model))
    except ModelError:
        context = None
    if has_completions:
        return row_limit(config, context)
    if context is None:
        return None, "the model's config says no context"
    limit = training_prompt_limit(config, context)
    return limit.longest, str(limit)


def shown_row(id: str, row: Row, tokenizer) -> ShownRow:
    """Returns a row as text, in pieces that are trained on or not."""
    pairs = zip(row["input_ids"], (label != IGNORED for label in row["labels"]), strict=True)
    pieces = [
        (tokenizer.decode([token for token, _ in group]), is_trained)
        for is_trained, group in groupby(pairs, key=lambda pair: pair[1])
    ]
    return ShownRow(id, pieces, len(row["labels"]), sum(label != IGNORED for label in row["labels"]))


def overlap_of(config: RunConfig, training: list[Example], test: list[Example], console: Console) -> dict[str, int]:
    """Returns how many of the test's problems stand in the training data, by how; the sandbox's splits share none."""
    if config.data.is_endless and (config.evaluation.data or config.data).is_endless:
        return dict.fromkeys(OVERLAPS, 0)
    with console.live("compared with the training data", total=len(test)) as live:
        found = audit_summary(find_contamination(training, test, live.advance), training, test) if test else None
    return {kind: found.counts[kind] if found else 0 for kind in OVERLAPS}
