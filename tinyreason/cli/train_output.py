"""What the person reads of a run: what was chosen and why at its beginning, what came of it at its end."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from tinyreason.adapters import adapts_embedding
from tinyreason.cli.evaluation_output import gain_text
from tinyreason.config.recipe import recipe_names
from tinyreason.config.run_config import RunConfig
from tinyreason.config.tiers import CPU_TIER, TIERS
from tinyreason.console import Console
from tinyreason.evaluation.benchmarks import bench_for
from tinyreason.inference.local_sampling import saved_beside
from tinyreason.models.hardware import find_card
from tinyreason.runs.context import RunContext
from tinyreason.runs.result import (
    RunResult,
    SecondOpinion,
    SeedsResult,
    TrainingSummary,
)
from tinyreason.runs.result_in_words import expected_in_words, template_check_in_words
from tinyreason.runs.stored import ConfidenceFit


def announce(context: RunContext, config: RunConfig, folder: Path) -> None:
    """Prints the first lines: what was chosen and why."""
    console, compute = context.console, context.compute
    console.say(f"tier    {config.tier} ({context.tier_reason})")
    console.say(f"recipe  {config.recipe}{config.about and ': '}{config.about}")
    console.say(f"model   {config.model.name}, adapter {config.adapter.kind} of rank {config.adapter.rank}")
    console.say(
        f"machine {compute.card.describe() if compute.card else 'CPU'}, {compute.dtype.got} ({compute.dtype.why})"
    )
    if compute.card and compute.card.idle:
        console.say(f"        {compute.card.describe_idle()}")
    for name in ("quantize", "attention", "fused", "optimizer"):
        setting = compute.settings()[name]
        if compute.card or setting.asked not in ("auto", "none"):
            console.say(f"        {name} {setting.got} ({setting.why})")
    console.say(f"data    {config.data.describe()}")
    if config.teacher_model:
        console.say(f"teacher {config.teacher_model.describe()}")
    if config.stages:
        console.say(f"stages  {' → '.join(f'{one.name} × {one.repeat}' for one in config.stages)} → the run's own")
    if config.train.needs_rewards or config.validation:
        console.say(f"train   with {'; '.join(regularisation(config)) or 'no regularisation'}")
    for line in caveats(config):
        console.say(f"caveat  {line}")
    console.say(f"folder  {folder}")
    if context.deadline.at:
        console.say(f"until   {context.deadline.at:%Y-%m-%d %H:%M} at the latest; the same command resumes it then")


def regularisation(config: RunConfig) -> Iterator[str]:
    """Yields what keeps the model from memorising the training answers."""
    reference = "warm-up" if config.warmup else "start" if config.adapter.start else "base"
    reference = next((f"end of {one.name}" for one in reversed(config.stages) if one.reference == "reset"), reference)
    if config.train.has_kl_penalty:
        yield f"a KL penalty of {config.train.kl:g} to the {reference}"
    if config.validation:
        yield "checkpoint selection on a validation set"


def caveats(config: RunConfig) -> Iterator[str]:
    """Yields what is known to go wrong with these rewards and advantages, before it does."""
    lengths = [reward.kind for reward in config.rewards if reward.reads_length]
    telling = lengths + [reward.kind for reward in config.rewards if reward.tells_correct_apart]
    dividing = [advantage.kind for advantage in config.advantages if advantage.divides_by_std]
    if telling and dividing:
        yield (
            f"advantage {dividing[0]} divides by each group's standard deviation: where all completions of a "
            f"group are correct, {' and '.join(telling)} alone differs and is blown up to full size, however small its "
            f"weight; advantage.kind=dr_grpo keeps its size"
        )
    if (
        config.rewards
        and not config.validation
        and not any(one.reads_gold and one.ever_counts for one in config.rewards)
    ):
        yield (
            "no reward reads the gold answers and there is no validation set: a collapse onto one answer would go "
            "unseen until the end; type validation.problems=64"
        )
    for reward in config.rewards:
        if reward.asks_for not in (None, config.prompt) and not (config.warmup or config.adapter.start):
            yield (
                f"{reward.kind} pays for tags that prompt={config.prompt} does not ask for; type "
                f"prompt={reward.asks_for}, unless the model was taught them"
            )
    for leaf in (*config.advantages, *([config.rollouts] if config.rollouts else [])):
        yield from leaf.caveats(config)
    if lengths and config.train.mask_truncated_completions:
        yield "train.mask_truncated_completions takes truncated completions out of the loss: length costs them nothing"


def conclude(console: Console, result: RunResult, folder: Path) -> None:
    """Prints the table at the end, what training was like, and what to do next."""
    show_result(console, result)
    console.say(trained_line(result))
    for line in explain_training(result.training):
        console.say(line)
    show_expectation(console, result)
    console.say("\nWhat next:")
    for line in next_steps(result, folder):
        console.say(line)


def conclude_seeds(console: Console, result: SeedsResult, folder: Path) -> None:
    """Prints a row for each seed, what they tell together, and what to do next."""
    console.say("")
    console.table(
        [
            (str(row.seed), f"{row.before:.1%}", f"{row.after:.1%}", row.gain.in_words, row.verdict)
            for row in result.runs
        ],
        header=("seed", "before", "after", "gain, points, 95 % interval by problem", ""),
    )
    console.say(f"\nover {len(result.runs)} seeds; 95 % intervals have both problems and seeds in them")
    show_result(console, result)
    console.say(f"{trained_line(result)}, all seeds")
    show_expectation(console, result)
    console.say("\nWhat next:")
    one = folder / result.runs[0].folder
    console.say(f"report      {report_line(folder)}")
    console.say(f"compare     tinyreason compare {shlex.quote(str(folder))} OTHER, the folder of another run's seeds")
    console.say(f"one seed    tinyreason chat {shlex.quote(str(one))} --compare")


def show_result(console: Console, result: RunResult) -> None:
    """Prints the table of what was measured, the gain by both graders, and the tokens."""
    after, tokens, sides = result.after, result.tokens, result.sides.values()
    each = "1 completion each" if after.samples == 1 else f"{after.samples} completions each"
    short = f", not {result.asked_problems}," if result.is_short_of_problems else ","
    console.table(
        [
            ("accuracy", *(f"{side.accuracy:.1%}" for side in sides)),
            ("95 % interval", *(f"{side.interval[0]:.1%} to {side.interval[1]:.1%}" for side in sides)),
            ("tokens per completion", *(f"{side.mean_tokens:.0f}" for side in sides)),
            ("truncated completions", *("" if side.truncated is None else f"{side.truncated:.1%}" for side in sides)),
            *confidence_rows([side.confidence for side in sides]),
        ],
        header=(f"{after.problems} unseen problems{short} {each}", *result.sides),
    )
    over = "over the start, " if result.base else ""
    console.say(f"gain        {over}{gain_text(result.gain)}: {result.verdict}")
    if result.verdict_reason:
        console.say(f"why         {result.verdict_reason}")
    for line in explain_second_opinion(result.second_opinion):
        console.say(line)
    if result.template_check:
        console.say(f"template    {template_check_in_words(result.template_check)}")
    if tokens:
        low, high = tokens.interval
        console.say(f"tokens      {tokens.change:+.0%} per completion, 95 % interval {low:+.0%} to {high:+.0%}")
    if result.bit_exact is False:
        console.say(f"caveat      not bit-exact, as it was resumed otherwise than begun: {', '.join(result.changes)}")


def confidence_rows(fits: list[ConfidenceFit | None]) -> list[tuple[str, ...]]:
    """Returns the rows of the table on stated confidences; none where no side states any."""
    if not any(fits):
        return []
    columns = [
        (f"{fit.share:.1%}", f"{fit.brier:.3f}", f"{fit.ece:.3f}", "" if fit.auroc is None else f"{fit.auroc:.2f}")
        if fit
        else ("0.0%", "", "", "")
        for fit in fits
    ]
    return [*zip(("confidence stated", "Brier score", "calibration error", "AUROC of it"), *columns, strict=True)]


def show_expectation(console: Console, result: RunResult) -> None:
    """Prints whether the run reached what its tier promises."""
    if result.expected is not None:
        met = "met" if result.meets_expectation else "NOT met"
        console.say(f"expected    {expected_in_words(result.expected)}: {met}")


def explain_second_opinion(opinion: SecondOpinion | None) -> Iterator[str]:
    """Yields what a stricter grader makes of the gain, and the signs of reward hacking before and after."""
    if opinion is None:
        return
    yield f"strictly    {gain_text(opinion.gain)}, by a grader that training never sees"
    before, after = opinion.signs
    shown = [
        f"{name.replace('_', ' ')} {before.get(name, 0):.0%} → {after.get(name, 0):.0%}"
        for name in after or before
        if before.get(name, 0) or after.get(name, 0)
    ]
    yield f"signs       of reward hacking in correct completions: {', '.join(shown) or 'none'}"


def trained_line(result: RunResult) -> str:
    """Returns how much was trained, how long the run took, and what of that was training, as far as it is known."""
    count, seconds = result.adapter.trainable_parameters, result.seconds
    parts = [] if count is None else [f"{count:,} parameters"]
    if "total" in seconds:
        of_it = f" ({seconds['train'] / 60:.1f} of them training)" if "train" in seconds else ""
        parts.append(f"{seconds['total'] / 60:.1f} minutes{of_it}")
    return f"trained     {', '.join(parts) or 'not known how much, nor how long'}"


def explain_training(training: TrainingSummary) -> Iterator[str]:
    """Yields training reward and validation accuracy apart, and groups without a gradient in words."""
    reward, loss = training.last_reward, training.last_loss
    what = f"reward {reward:.2f}" if reward is not None else None if loss is None else f"loss {loss:.3f}"
    on = f", on {training.problems}" if training.problems else ""
    if what:
        yield f"training    {what} over the last steps{on}"
    if training.validation_accuracy is not None:
        on = f" of {training.validation_problems} problems" if training.validation_problems else ""
        yield (
            f"validation  {training.validation_accuracy:.0%}{on} correct at step {training.kept_step} of "
            f"{training.steps}; it selected that step, and its problems are not in the table"
        )
    if training.skipped_steps:
        yield f"skipped     {training.skipped_steps} of {training.steps} steps, whose gradient float16 could not hold"
    share = training.share_zero_variance_groups or 0
    if share > 0:
        yield f"groups      in {share:.0%} of them all completions earned the same reward, so they had no gradient"


def next_steps(result: RunResult, folder: Path) -> Iterator[str]:
    """Yields the lines to type, or open, after a run."""
    place = shlex.quote(str(folder))
    file = saved_beside(folder / "adapter").get("gguf_file")
    more = f", gguf_file={file!r}" if file else ""
    load = f"AutoPeftModelForCausalLM.from_pretrained({str(folder / 'adapter')!r}{more})"
    on_sandbox = result.tier in TIERS and TIERS[result.tier].is_offline  # an early result has no tier
    if on_sandbox and result.recipe in recipe_names() and find_card() is None:
        yield f"real model  tinyreason recipe {result.recipe} --on {CPU_TIER} (a small public one, without a GPU)"
    yield f"chat        tinyreason chat {place} --compare"
    yield f"evaluate    tinyreason eval {place} --against base --bench {bench_for(result.model)}"
    if not adapts_embedding(folder / "adapter"):
        yield f"export      tinyreason export {place} merged (or gguf, modelfile, vllm)"
    yield f"in Python   from peft import AutoPeftModelForCausalLM; model = {load}"
    yield f"report      {report_line(folder)}"


def report_line(folder: Path) -> str:
    """Returns the page of a run, or the command that writes it where it is not there."""
    page = folder / "report.html"
    return str(page) if page.is_file() else f"tinyreason report {shlex.quote(str(folder))}"
