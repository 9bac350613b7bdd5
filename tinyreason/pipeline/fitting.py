"""Leaves out, before anything long begins, what is longer than the model reads or than a row may be."""

from dataclasses import dataclass, replace

from tinyreason.config.run_config import RunConfig
from tinyreason.console import Console
from tinyreason.data._source import Source
from tinyreason.errors import DataError
from tinyreason.example import Example
from tinyreason.models.training_rows import prompt_sizes, tokenised
from tinyreason.pipeline.problems import RunProblems


@dataclass(frozen=True)
class PromptLimit:
    """How long a prompt may be, so that a completion after it fits into the model's context."""

    context: int
    reserved: int
    """Tokens that are kept for the completion."""
    option: str
    """What says how long that may be."""

    @property
    def longest(self) -> int:
        """The tokens of the longest prompt."""
        return self.context - self.reserved

    def __str__(self) -> str:
        text = f"the model's context of {self.context:,} tokens"
        return f"{text} less {self.option}={self.reserved:,}" if self.option else text

    def fitting(self, examples: list[Example], sizes: list[int], purpose: str) -> list[Example]:
        """Returns the examples whose prompts fit. Errors: `DataError` where none does."""
        fine = [example for example, size in zip(examples, sizes, strict=True) if size <= self.longest]
        if examples and not fine:
            shorter = f"lower {self.option}, or " if self.option and self.context > min(sizes) else ""
            raise DataError(
                f"all {len(examples):,} prompts of the {purpose} are longer than {self}; the shortest has "
                f"{min(sizes):,} tokens; {shorter}take a model that reads more."
            )
        return fine


def training_prompt_limit(config: RunConfig, context: int) -> PromptLimit:
    """Returns how long a prompt to sample rollouts from may be."""
    return PromptLimit(context, config.train.max_completion_tokens, "train.max_completion_tokens")


def evaluation_prompt_limit(context: int) -> PromptLimit:
    """Returns how long a prompt of the evaluation may be: a completion that does not fit is truncated there."""
    return PromptLimit(context, 1, "")


def fitting(config: RunConfig, problems: RunProblems, tokenizer, context: int | None, console: Console) -> RunProblems:
    """Returns the problems less those too long to read or to train on, and says how many those are and why.

    Errors: `DataError` where nothing is left.
    """
    training = problems.training
    if config.train.needs_completions and not config.data.is_sampled:
        _, lengths = tokenised(config, tokenizer, training, context)
        if lengths.left_out:
            console.say(f"lengths {lengths.left_out_in_words} are left out of the {lengths.of:,} rows to train on")
    elif context is not None:
        limit = training_prompt_limit(config, context)
        training = short_enough(config, config.data, training, tokenizer, limit, "training", console)
    if context is None:
        return problems
    limit, source = evaluation_prompt_limit(context), config.evaluation.data or config.data
    evaluation = short_enough(config, source, problems.evaluation, tokenizer, limit, "evaluation", console)
    validation = short_enough(config, config.data, problems.validation, tokenizer, limit, "validation", console)
    return replace(problems, training=training, evaluation=evaluation, validation=validation)


def short_enough(
    config: RunConfig,
    source: Source,
    examples: list[Example],
    tokenizer,
    limit: PromptLimit,
    purpose: str,
    console: Console,
) -> list[Example]:
    """Returns the examples whose prompts the limit lets pass, and says how many it does not."""
    if source.max_prompt_tokens and source.max_prompt_tokens <= limit.longest:
        return examples
    sizes = prompt_sizes(config, tokenizer, examples)
    fine = limit.fitting(examples, sizes, purpose)
    if len(fine) < len(examples):
        console.say(
            f"lengths {len(examples) - len(fine):,} of {len(examples):,} prompts of the {purpose} are left out: longer "
            f"than {limit}, the longest has {max(sizes):,}"
        )
    return fine
