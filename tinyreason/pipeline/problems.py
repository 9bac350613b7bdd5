"""The problems of a run, checked: those trained on, those of the evaluation, those of the validation."""

from collections.abc import Iterator
from dataclasses import dataclass

from tinyreason.algorithms.rewards import ask_for_tokens
from tinyreason.config.preconditions import caveats_of_problems, check_problems
from tinyreason.config.run_config import RunConfig
from tinyreason.config.training_split import gold_readers, training_examples, training_split
from tinyreason.console import Console
from tinyreason.data.critiques import Critiques
from tinyreason.errors import DataError
from tinyreason.example import Example
from tinyreason.grading.grader import Grader
from tinyreason.pipeline.held_out import held_out
from tinyreason.pipeline.transformed import digest, transformed_rows
from tinyreason.runs.folder import RunFolder
from tinyreason.synthesis.build import build_critiques

NAMED_IDS = 10


@dataclass(frozen=True)
class RunProblems:
    """The problems of a run, by what they are for; no problem, nor a copy of one, is for two."""

    training: list[Example]
    evaluation: list[Example]
    """Asked before and after training."""
    validation: list[Example]
    """Asked on the way, to select the checkpoint; empty where the last step is kept."""
    available: int
    """How many could be in the evaluation, counted up to `MORE` times as many as are asked for."""
    held_back: int = 0
    """How many of the training data's own are held back for the evaluation and the validation."""

    def sha256(self) -> str:
        """Returns the SHA-256 of every problem, in order."""
        return digest_of([self.training, self.evaluation, self.validation])

    def splits_sha256(self) -> dict[str, str]:
        """Returns what the problems are for → their SHA-256."""
        parts = {"training": self.training, "evaluation": self.evaluation, "validation": self.validation}
        return {name: digest_of([part]) for name, part in parts.items() if part}


def digest_of(parts: list[list[Example]]) -> str:
    """Returns the SHA-256 of lists of problems."""
    return digest([[vars(example) for example in part] for part in parts])


def read_problems(config: RunConfig, folder: RunFolder, grader: Grader, console: Console) -> RunProblems:
    """Returns the problems of a run, all of them checked. Errors: `ConfigError`, `DataError`."""
    split = training_split(config, training_examples(config))
    examples = split.training
    if not config.data.is_sampled:  # whose transforms are of the completions
        examples = transformed_rows(config, examples, folder, grader, console)
    if split.test or split.validation:
        console.say(f"split   {split.in_words}; a test set of its own is evaluation.data.file=FILE")
    if config.train.needs_rewards or config.data.is_sampled or gold_readers(config):
        check_gold_answers([example for example in examples if example.answer or gold_readers(config)], grader)
    evaluation, validation, available = held_out(config, split, console)
    evaluation, validation = (gradable(found, grader, console) for found in (evaluation, validation))
    for line in counts(config, len(evaluation), len(validation)):
        console.say(line)
    check_problems(config, examples)
    for line in caveats_of_problems(config, examples):
        console.say(f"caveat  {line}")
    examples, evaluation, validation = (
        ask_for_tokens(config.rewards, found) for found in (examples, evaluation, validation)
    )
    if config.critiques is not None:
        examples = built_critiques(config, examples, folder, console)
    if config.train.needs_completions and not config.data.is_sampled:
        check_completions(examples)
    held_back = len(split.test) + len(split.validation)
    return RunProblems(examples, evaluation, validation, available, held_back)


def counts(config: RunConfig, evaluation: int, validation: int) -> Iterator[str]:
    """Yields how many problems are asked, and that they are fewer than was asked for where they are."""
    asked = {"evaluation": (evaluation, config.evaluation.problems)}
    if config.validation:
        asked["validation"] = (validation, config.validation.problems)
    found = ", ".join(f"{count:,} in the {name}" for name, (count, _) in asked.items())
    yield f"problems {found}; none of them is trained on"
    for name, (count, wanted) in asked.items():
        if count < wanted:
            yield f"caveat  {name}.problems={wanted:,} are asked for, and the data holds only {count:,} for it"


def built_critiques(config: RunConfig, problems: list[Example], folder: RunFolder, console: Console) -> list[Example]:
    """Builds critiques of attempts at these problems into the run's folder, and returns them."""
    file = folder.path / "critiques.jsonl"
    build_config = config.critique_build_config()
    summary = build_critiques(build_config, file, console, problems)
    left_out = ", ".join(f"{count} {why}" for why, count in summary.dropped.items()) or "none"
    console.say(f"built   {summary.kept} critiques by {build_config.teacher.kind}; dropped {left_out}")
    return Critiques(file=file).load()


def check_gold_answers(examples: list[Example], grader: Grader) -> None:
    """Refuses a gold answer that cannot be parsed or does not equal itself. Errors: `DataError`."""
    for example, is_good in zip(examples, grader.check_gold(examples), strict=True):
        if not is_good:
            raise DataError(
                f"the gold answer of problem {example.id} cannot be graded: {example.answer[-80:]!r}; choose another "
                f"problem or correct it."
            )


def check_completions(examples: list[Example]) -> None:
    """Refuses rows without a completion to train on. Errors: `DataError`."""
    without = [example.id for example in examples if not example.completion]
    if without:
        raise DataError(
            f"problem {without[0]} has no completion to train on ({len(without)} of {len(examples)} have none); "
            f"use data.kind=solutions or critiques, or let critiques: build some."
        )


def gradable(examples: list[Example], grader: Grader, console: Console) -> list[Example]:
    """Returns the held-out problems that can be graded; the others are named, not counted as incorrect."""
    fine = grader.check_gold(examples)
    odd = [example.id for example, is_fine in zip(examples, fine, strict=True) if not is_fine]
    if odd:
        named = ", ".join(odd[:NAMED_IDS]) + (f", … ({len(odd):,})" if len(odd) > NAMED_IDS else "")
        console.say(f"left out of the held-out problems, their gold answers cannot be graded: {named}")
    if examples and len(odd) == len(examples):
        raise DataError("no held-out problem has a gold answer that can be graded; set evaluation.data.")
    return [example for example, is_fine in zip(examples, fine, strict=True) if is_fine]
