"""The problems of a run, checked: those trained on, those asked before and after, those that choose the step."""

from tinyreason.algorithms.rewards import ask_for_tokens
from tinyreason.config.run_config import RunConfig
from tinyreason.console import Console
from tinyreason.data.critiques import Critiques
from tinyreason.errors import ConfigError, DataError
from tinyreason.example import Example
from tinyreason.grading.grader import Grader
from tinyreason.runs.folder import RunFolder
from tinyreason.synthesis.build import build_critiques


def read_problems(
    config: RunConfig, folder: RunFolder, grader: Grader, console: Console
) -> tuple[list[Example], list[Example], list[Example]]:
    """What is trained on, asked before and after, and asked on the way: all of it checked."""
    examples = config.data.load()
    if config.trainer == "grpo":
        check_gold_answers(examples, grader)
    questions, checks = (gradable(found, grader, console) for found in held_out(config, examples))
    check_history(config, examples)
    examples, questions, checks = (ask_for_tokens(config.rewards, found) for found in (examples, questions, checks))
    if config.critiques is not None:
        examples = built_critiques(config, folder, console)
    if config.trainer == "sft":
        check_completions(examples)
    return examples, questions, checks


def held_out(config: RunConfig, examples: list[Example]) -> tuple[list[Example], list[Example]]:
    """Problems that are not trained on: those of the evaluation, and those that choose the checkpoint."""
    trained_on = {example.id for example in examples}
    questions = test_problems(config, examples)
    if config.validation is None:
        return questions, []
    return questions, config.data.held_out(config.validation.problems, "validation", without=trained_on)


def test_problems(config: RunConfig, examples: list[Example]) -> list[Example]:
    """The evaluation's problems: a test set of its own, less what is trained on, or held out from the training data."""
    own, count = config.evaluation.data, config.evaluation.problems
    if own is None or own.family:
        return (own or config.data).held_out(count, "test", without={example.id for example in examples})
    trained_on = {example.problem for example in examples}
    return [example for example in own.load() if example.problem not in trained_on][:count]


def built_critiques(config: RunConfig, folder: RunFolder, console: Console) -> list[Example]:
    """Critiques of attempts at the run's problems, built into its folder."""
    file = folder.path / "critiques.jsonl"
    order = config.critique_build_config()
    summary = build_critiques(order, file, console)
    left_out = ", ".join(f"{count} {why}" for why, count in summary.dropped.items()) or "none"
    console.say(f"built   {summary.kept} critiques by {order.teacher.kind}; dropped {left_out}")
    return Critiques(file=file).load()


def check_gold_answers(examples: list[Example], grader: Grader) -> None:
    """Every gold answer must parse and score itself right: a reward that cannot judge teaches nothing."""
    for example, is_good in zip(examples, grader.check_gold([example.answer for example in examples]), strict=True):
        if not is_good:
            raise DataError(
                f"the gold answer of problem {example.id} cannot be graded: {example.answer[-80:]!r}; choose another "
                f"problem or correct it."
            )


def check_history(config: RunConfig, examples: list[Example]) -> None:
    """A reward that compares a problem with its visits in earlier steps needs problems that come back."""
    names = [reward.kind for reward in config.rewards if reward.needs_history]
    if not names:
        return
    a_step = config.train.rollouts_per_step // config.train.group_size
    visits = config.train.max_steps * a_step
    if visits <= max(len(examples), a_step):
        fewer = f"type data.size={visits // 4} or " if visits >= max(4, 2 * a_step) else ""
        raise ConfigError(
            f"{names[0]} compares a problem with its visits in earlier steps, and {visits:,} visits to "
            f"{len(examples):,} problems never come back to one; {fewer}raise train.max_steps."
        )


def check_completions(examples: list[Example]) -> None:
    """Every row must have something to imitate."""
    without = [example.id for example in examples if not example.completion]
    if without:
        raise DataError(
            f"problem {without[0]} has no completion to train on ({len(without)} of {len(examples)} have none); "
            f"use data.kind=solutions or critiques, or let critiques: build some."
        )


def gradable(examples: list[Example], grader: Grader, console: Console) -> list[Example]:
    """Of held-out problems, those that can be judged; the others are named, not counted as wrong."""
    fine = grader.check_gold([example.answer for example in examples])
    odd = [example.id for example, is_fine in zip(examples, fine, strict=True) if not is_fine]
    if odd:
        console.say(f"left out of the held-out problems, their gold answers cannot be graded: {', '.join(odd)}")
    if examples and len(odd) == len(examples):
        raise DataError("no held-out problem has a gold answer that can be graded; set evaluation.data.")
    return [example for example, is_fine in zip(examples, fine, strict=True) if is_fine]
