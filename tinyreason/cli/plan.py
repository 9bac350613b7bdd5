"""`tinyreason plan` and `tinyreason rehearse`: what a run will take, and its whole path on the sandbox model."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tinyreason.config.recipe import Recipe
    from tinyreason.config.run_config import RunConfig
    from tinyreason.models.hardware import Card
    from tinyreason.planning.gpus import Datasheet
    from tinyreason.planning.plan import Machine, Plan

CARDS = "t4, 3060, 3090, 4090, l4, a100, a100-40gb, h100"
TIER = click.option("--on", "tier", metavar="TIER", help="sandbox, t4, 24gb or 80gb; the default goes by the card.")
OVERRIDES = click.argument("overrides", nargs=-1, metavar="[key=value ...]")


@click.command(short_help="What a run will take, before anything is downloaded.")
@click.argument("name")
@OVERRIDES
@TIER
@click.option("--gpu", metavar="CARD", help=f"{CARDS} or cpu; the default is this machine's.")
@click.option("--prompt-tokens", type=click.IntRange(min=1), help="Of the longest prompt; default 256.")
@click.option("--measure", "is_measured", is_flag=True, help="Take two longest-sample steps here and compare.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(
    name: str,
    overrides: tuple[str, ...],
    tier: str | None,
    gpu: str | None,
    prompt_tokens: int | None,
    is_measured: bool,
    as_json: bool,
) -> None:
    """Peak memory by phase, seconds a step, hours, tokens and disk of a run; what to change where it does not fit.

    Only the model's config is read. Replies and rows are taken to be as long as they may be.
    """
    from tinyreason.config.recipe import read_recipe
    from tinyreason.errors import ConfigError
    from tinyreason.planning.plan import make_plan

    if is_measured and gpu:
        raise ConfigError("--measure is of the machine at hand; leave --gpu out.")
    recipe = read_recipe(name)
    card, sheet = chosen_card(gpu)
    tier, why = (tier, "asked for with --on") if tier else tier_for(recipe, card)
    config = recipe.resolve(tier, overrides)
    machine = machine_of(config, card, sheet)
    made = make_plan(config, machine, prompt_tokens)
    if is_measured:
        compare(recipe, tier, overrides, machine, as_json)
        return
    suggestion = None if made.fits else suggested(made, recipe, tier, overrides, machine, prompt_tokens)
    if as_json:
        click.echo(json.dumps(made.as_json() | {"suggestion": suggestion}, indent=1))
        return
    click.echo("\n".join(lines(made, why)))
    if not made.fits:
        advice = " ".join(suggestion or ()) or "nothing that is known here makes it fit; choose a smaller model"
        click.echo(f"change  {advice}")


def chosen_card(gpu: str | None) -> tuple["Card | None", "Datasheet | None"]:
    """Returns the card that --gpu names or that this machine has, and its datasheet; None where there is none."""
    from tinyreason.models.hardware import find_card
    from tinyreason.planning.gpus import datasheet, datasheet_of

    if gpu:
        sheet = datasheet(gpu)
        return sheet and sheet.card(), sheet
    card = find_card()
    return card, card and datasheet_of(card)


def machine_of(config: "RunConfig", card: "Card | None", sheet: "Datasheet | None") -> "Machine":
    """Returns the machine that is planned for: this one's CPU where the tier needs no card, or there is none."""
    from tinyreason.config.tiers import TIERS
    from tinyreason.planning.gpus import memory_of_this_machine
    from tinyreason.planning.plan import GB, Machine

    if card is None or not TIERS[config.tier].needs_gpu:
        return Machine(None, None, memory_of_this_machine())
    return Machine(card, sheet, card.memory_gb * GB)


def tier_for(recipe: "Recipe", card: "Card | None") -> tuple[str, str]:
    """As a run chooses; but a card below every GPU tier is held against the smallest, to say what must change."""
    from tinyreason.config.tiers import GPU_TIERS
    from tinyreason.models.hardware import choose_tier

    smallest = next((tier for tier in GPU_TIERS if tier in recipe.tiers), None)
    if card and smallest and card.memory_gb < GPU_TIERS[smallest].memory_gb:
        return smallest, f"the smallest for a GPU; {card.name} is below its {GPU_TIERS[smallest].memory_gb:.0f} GB"
    return choose_tier(recipe.tiers, card)


def suggested(made, recipe, tier, overrides, machine, prompt_tokens) -> tuple[str, ...] | None:
    """The nearest `key=value` words with which the run fits."""
    from tinyreason.planning.plan import make_plan, nearest_fit

    def replan(words: tuple[str, ...]) -> "Plan":
        return make_plan(recipe.resolve(tier, (*overrides, *words)), machine, prompt_tokens, made.job.shape)

    return nearest_fit(made, replan)


def lines(made: "Plan", why: str) -> list[str]:
    """The plan as a person reads it."""
    from tinyreason.planning.plan import CPU_ALLOCATOR, GPU_ALLOCATOR

    job, config = made.job, made.job.config
    compute, peak = job.compute, made.peak
    device = compute.card.describe() if compute.card else "CPU"
    base = f"{config.model.name}, {count(job.shape.parameters)} parameters"
    held = (
        compute.dtype.got
        if compute.quantize.got == "none"
        else f"{compute.quantize.got}, computing in {compute.dtype.got}"
    )
    found = [
        f"{config.recipe} on {device} with {gb(made.memory)}, tier {config.tier} ({why})",
        f"model   {base} in {held}; {config.adapter.kind} trains {job.trained:,}",
        f"rows    {job.row_tokens} tokens at most, {job.prompt_tokens} of them prompt; {job.micro_rows} a backward",
    ]
    for phase in made.phases:
        parts = ", ".join(f"{name} {gb(size)}" for name, size in phase.parts.items() if size >= made.peak.total / 100)
        found.append(f"{phase.name:<10}{gb(phase.total):>8}   {parts}")
    factor = CPU_ALLOCATOR if job.on_cpu else GPU_ALLOCATOR
    verdict = "fits" if made.fits else "does NOT fit"
    kept = f"up to {gb(factor * peak.total)} with what the allocator keeps"
    found.append(f"peak    {gb(peak.total)} at {peak.name}, {kept}: {verdict}")
    found += time_lines(made)
    tokens, disk = made.tokens, made.disk
    found.append(f"tokens  at most {count(tokens['generated'])} generated, {count(tokens['trained on'])} trained on")
    found.append(f"disk    {gb(disk['model'])} for the model, at most {gb(disk['run'])} for the run")
    return found


def time_lines(made: "Plan") -> list[str]:
    """Seconds a step, hours, and what of them a session holds."""
    if made.seconds is None:
        return [f"time    unknown: {made.job.compute.card.name} is not among the cards known here"]
    steps = made.job.config.train.max_steps
    held = "all of it" if made.session_steps == steps else f"{made.session_steps:,} of {steps:,} steps"
    return [
        f"step    {short(made.seconds_a_step)} s, at most: an estimate, not measured on this card",
        f"run     {short(made.seconds / 3600)} hours with its evaluations; a 12-hour session holds {held}",
    ]


def gb(size: float) -> str:
    """Bytes in the unit that reads best."""
    return f"{size / 2**30:.1f} GB" if size >= 0.95 * 2**30 else f"{size / 2**20:.0f} MB"


def short(number: float) -> str:
    """4712.3 → 4,712, 0.0712 → 0.071"""
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def count(number: float) -> str:
    """1543714304 → 1.54 G"""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f}"


def compare(recipe: "Recipe", tier: str, overrides: tuple[str, ...], machine: "Machine", as_json: bool) -> None:
    """Two steps here, and what the plan had said of them."""
    from tinyreason.console import Console, quiet_libraries
    from tinyreason.models.hardware import check_tier
    from tinyreason.models.load import compute_settings_for
    from tinyreason.planning.plan import make_plan

    check_tier(tier, machine.card)
    config = recipe.resolve(tier, overrides)
    quiet_libraries(offline=config.is_offline)
    compute = compute_settings_for(config.model, config.kernels, machine.card)

    from tinyreason.planning.measure import forced, measure

    forced_config = recipe.resolve(tier, (*overrides, *forced(config)))
    measured = measure(forced_config, compute, Console(stderr=as_json))
    made = make_plan(forced_config, machine, measured.prompt_tokens)
    peak = made.training_peak
    found = {
        "device": compute.card.describe() if compute.card else "CPU",
        "phase": peak.name,
        "prompt_tokens": measured.prompt_tokens,
        "row_tokens": made.job.row_tokens,
        "predicted_peak_bytes": peak.in_torch if compute.card else peak.total,
        "measured_peak_bytes": measured.peak,
        "predicted_seconds_a_step": made.seconds_a_step,
        "measured_seconds_a_step": measured.seconds_a_step,
    }
    found["peak_error"] = found["predicted_peak_bytes"] / measured.peak - 1
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    over = "allocated by torch" if compute.card else "RSS over the baseline"
    predicted, rows = gb(found["predicted_peak_bytes"]), f"rows of {made.job.row_tokens} tokens"
    click.echo(f"{recipe.name} on {found['device']}, two steps, {rows}, peak at {peak.name}")
    click.echo(f"peak    predicted {predicted}, measured {gb(measured.peak)} ({over}): {found['peak_error']:+.1%}")
    seconds = "unknown" if made.seconds_a_step is None else f"{short(made.seconds_a_step)} s"
    click.echo(f"step    predicted {seconds}, measured {short(measured.seconds_a_step)} s")


@click.command(short_help="A recipe's whole path on the sandbox model, in about two minutes.")
@click.argument("name")
@OVERRIDES
@TIER
@click.option("--out", type=click.Path(path_type=Path), help="Keep the run folder here; default: it is thrown away.")
def dry_run(name: str, overrides: tuple[str, ...], tier: str | None, out: Path | None) -> None:
    """Run a recipe's whole path on the sandbox model with the tier's own data: two steps, short replies, no GPU.

    Say the tier of the run to come with --on, so that its data, rewards and adapter are tried.
    """
    import tempfile

    from tinyreason.cli.train_output import announce
    from tinyreason.config.recipe import read_recipe
    from tinyreason.console import Console, quiet_libraries
    from tinyreason.models.hardware import choose_tier, find_card
    from tinyreason.models.load import compute_settings_for
    from tinyreason.pipeline.dry_run import dry_run_config, reloaded, seen, unknown

    recipe = read_recipe(name)
    tier, why = (tier, "asked for with --on") if tier else choose_tier(recipe.tiers, find_card())
    config = dry_run_config(recipe, tier, overrides)
    quiet_libraries(offline=config.is_offline)
    compute = compute_settings_for(config.model, config.kernels, card=None)
    with tempfile.TemporaryDirectory() as beside:
        console, folder = Console(), out or Path(beside, "rehearsal")
        announce(console, config, compute, f"rehearsed; {why}", folder)

        from tinyreason.pipeline.run import run
        from tinyreason.pipeline.verify_resume import verify_resume
        from tinyreason.runs.context import RunContext

        context = RunContext(console, compute, "dry run")
        result = run(config, folder, context)
        resumed = f"resume      {verify_resume(config, folder, context)}"
        console.say("seen to work:")
        for line in (*seen(config, result, folder), reloaded(folder), resumed):
            console.say(f"  {line}")
        console.say("what a rehearsal cannot know:")
        for line in unknown(recipe.resolve(tier, overrides)):
            console.say(f"  {line}")
        console.say(f"took {result.seconds['total']:.0f} s")
