"""The problems that a run does not train on: none of them is a copy of a training problem, whole or nearly."""

import sys

from tinyreason.config.run_config import RunConfig
from tinyreason.config.training_split import validation_source
from tinyreason.console import Console
from tinyreason.data._source import Source
from tinyreason.data.held_back import Split
from tinyreason.errors import DataError
from tinyreason.evaluation.contamination import copies_in_words, without_copies
from tinyreason.example import Example, different

MORE = 4
"""So many times the problems halve the interval of a gain."""


def held_out(config: RunConfig, split: Split, console: Console) -> tuple[list[Example], list[Example], int]:
    """Returns the problems of the evaluation, those that select the checkpoint, and how many the first could be.

    None is trained on, nor is a copy of one that is, and the two share none: whole but for case and space, or nearly.
    """
    examples = split.training
    source, wanted = config.evaluation.data or config.data, config.evaluation.problems
    trained = [(config.data, examples)]
    trained += [(source, source.load()) for source in config.training_sources[1:]]
    candidates = test_problems(config, split)
    known = comparable(source, trained)
    evaluation, others = first_unknown(candidates, known, wanted, "evaluation", "training", console)
    available = min(MORE * wanted, max(len(evaluation) + others, split.largest_test))
    if config.validation is None:
        return evaluation, [], available
    holder, wanted = validation_source(config, examples), config.validation.problems
    candidates = split.validation or validation_problems(config, holder, split)
    known = comparable(holder, [*trained, (source, evaluation)])
    validation, _ = first_unknown(candidates, known, wanted, "validation", "training or the evaluation", console)
    return evaluation, validation, available


def test_problems(config: RunConfig, split: Split) -> list[Example]:
    """Returns what the evaluation takes its problems from, first to last: a test set of its own, or held-out data."""
    own, examples = config.evaluation.data, split.training
    if split.test:
        return split.test
    if own is None or own.is_endless:
        source, trained_ids = own or config.data, {example.id for example in examples}
        return source.held_out(most_needed(source, config.evaluation.problems), "test", without=trained_ids)
    return different(own.load())


def validation_problems(config: RunConfig, holder: Source, split: Split) -> list[Example]:
    """Returns what the validation takes its problems from where none are held back; a test set is shared in two."""
    if holder is config.data or holder.is_endless:
        without = {example.id for example in split.training} if holder is config.data else set()
        return holder.held_out(most_needed(holder, config.validation.problems), "validation", without=without)
    return different(holder.load())


def most_needed(source: Source, wanted: int) -> int:
    """Returns how many problems are read where some may be left out: all, of a source that ends."""
    return MORE * wanted if source.is_endless else sys.maxsize


def comparable(source: Source, others: list[tuple[Source, list[Example]]]) -> list[Example]:
    """Returns those problems of other sources that problems of this one may copy; the sandbox's splits share none."""
    return [
        example for other, examples in others if not (source.is_endless and other.is_endless) for example in examples
    ]


def first_unknown(
    candidates: list[Example], known: list[Example], wanted: int, purpose: str, holder: str, console: Console
) -> tuple[list[Example], int]:
    """Returns the first `wanted` candidates that copy none of the known, and how many others there are.

    Says how many were passed over. Errors: `DataError` where none is left.
    """
    identities = {example.identity for example in known}
    new = [example for example in candidates if example.identity not in identities]
    with console.live("looking for copies of known problems", total=min(wanted, len(new))) as live:
        kept, passed = without_copies(new, known, wanted, live.advance)
    others = len(new) - len(kept) - passed.total()
    passed["identical"] += len(candidates) - len(new)
    if not kept:
        instead = "set validation=null or " if purpose == "validation" else ""
        raise DataError(
            f"{holder} holds every problem there is for the {purpose}, whole or nearly; {instead}give other problems "
            f"in evaluation.data."
        )
    if passed.total():
        console.say(
            f"leaks   {passed.total():,} problems are left out of the {purpose}: {holder} holds "
            f"{copies_in_words(passed)}"
        )
    return kept, others
