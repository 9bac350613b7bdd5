"""What the person reads of a run: what was chosen and why at its beginning, what came of it at its end."""

from collections.abc import Iterator
from pathlib import Path

from tinyreason.config.run_config import RunConfig
from tinyreason.console import Console
from tinyreason.models.kernels import ComputeSettings


def announce(console: Console, config: RunConfig, compute: ComputeSettings, why_tier: str, folder: Path) -> None:
    """The first lines: what was chosen and why."""
    console.say(f"{config.recipe}: {config.about}")
    console.say(f"tier    {config.tier} ({why_tier})")
    console.say(f"model   {config.model.name}, adapter {config.adapter.kind} of rank {config.adapter.rank}")
    console.say(
        f"machine {compute.card.describe() if compute.card else 'CPU'}, {compute.dtype.got} ({compute.dtype.why})"
    )
    for name in ("quantize", "attention", "fused", "optimizer"):
        choice = compute.settings()[name]
        if compute.card or choice.asked not in ("auto", "none"):
            console.say(f"        {name} {choice.got} ({choice.why})")
    console.say(f"data    {config.data.describe()}")
    if config.train.needs_rewards or config.validation:
        console.say(f"guards  {'; '.join(regularisation(config)) or 'none'}")
    for line in caveats(config):
        console.say(f"trap    {line}")
    console.say(f"folder  {folder}")


def regularisation(config: RunConfig) -> Iterator[str]:
    """What keeps the model from learning the training answers by heart."""
    if config.train.has_kl_penalty:
        yield f"a KL leash of {config.train.kl:g} to the {'warm-up' if config.warmup else 'base'}"
    if config.validation:
        yield f"the step that does best on {config.validation.problems} other problems is kept"


def caveats(config: RunConfig) -> Iterator[str]:
    """What is known to go wrong with these rewards, before it does."""
    lengths = [reward.kind for reward in config.rewards if reward.reads_length]
    if lengths and config.advantage.divides_by_std:
        yield (
            f"advantage {config.advantage.kind} divides by each group's spread: where all replies of a group are "
            f"right, {' and '.join(lengths)} alone differs and is blown up to full size, however small its weight; "
            f"advantage.kind=dr_grpo keeps its size"
        )
    if lengths and config.trl.get("mask_truncated_completions"):
        yield "trl.mask_truncated_completions takes replies that were cut out of the loss: length costs them nothing"


def conclude(console: Console, result: dict, folder: Path) -> None:
    """The table at the end."""
    before, after, gain = result["before"], result["after"], result["gain"]
    training = result["training"]
    low, high = gain["interval"]
    console.table(
        [
            ("accuracy", f"{before['accuracy']:.1%}", f"{after['accuracy']:.1%}"),
            ("95 % interval", *(f"{s['interval'][0]:.1%} to {s['interval'][1]:.1%}" for s in (before, after))),
            ("tokens a reply", f"{before['mean_tokens']:.0f}", f"{after['mean_tokens']:.0f}"),
            ("replies cut short", f"{before['truncated']:.1%}", f"{after['truncated']:.1%}"),
        ],
        header=(f"{after['problems']} unseen problems × {after['samples']}", "before", "after"),
    )
    interval = f"95 % interval {low:+.1f} to {high:+.1f}"
    console.say(f"gain        {gain['points']:+.1f} points, {interval}: {result['verdict']}")
    low, high = result["tokens"]["interval"]
    console.say(f"tokens      {result['tokens']['change']:+.0%} a reply, 95 % interval {low:+.0%} to {high:+.0%}")
    console.say(f"trained     {result['adapter']['trainable_parameters']:,} parameters, {minutes(result)}")
    for line in explain_training(training):
        console.say(line)
    expected = result["expected"]
    if expected is not None:
        words = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in expected.items())
        console.say(f"expected    {words}: {'met' if result['meets_expectation'] else 'NOT met'}")
    if (folder / "report.html").is_file():
        console.say(f"report      {folder / 'report.html'}")
    console.say(f"run folder  {folder}")


def minutes(result: dict) -> str:
    """How long it took, and what of that was training."""
    seconds = result["seconds"]
    return f"{seconds['total'] / 60:.1f} minutes ({seconds['train'] / 60:.1f} of them training)"


def explain_training(training: dict) -> Iterator[str]:
    """Training reward and held-out accuracy apart, and groups without a gradient in words."""
    what = f"reward {training['last_reward']:.2f}" if "last_reward" in training else f"loss {training['last_loss']:.3f}"
    yield f"training    {what} over the last steps, on {training['problems']}"
    if training["validation_accuracy"] is not None:
        yield (
            f"held out    {training['validation_accuracy']:.0%} of other problems right at step "
            f"{training['kept_step']} of {training['steps']}; they chose that step, and are not in the table"
        )
    share = training.get("share_zero_variance_groups", 0)
    if share > 0:
        yield f"groups      in {share:.0%} all replies earned the same reward, so they had no gradient"
