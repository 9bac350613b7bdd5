"""`tinyreason plan` and `tinyreason dry-run`: what a run will take, and its whole path on the sandbox model."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyreason.cli.options import ALLOW_CODE, COUNT, JSON, OVERRIDES, PATH, PROCESSES, TIER, with_processes
from tinyreason.errors import ConfigError

if TYPE_CHECKING:
    from tinyreason.config.recipe import Recipe
    from tinyreason.config.run_config import RunConfig
    from tinyreason.models.hardware import Card
    from tinyreason.planning.gpus import Datasheet
    from tinyreason.planning.plan import Machine, Plan

CARDS = "1080, 1080-ti, 2060, t4, 3060, 3090, 4090, l4, a100, a100-40gb, h100"


@click.command("plan", short_help="Say what a run will take, before anything is downloaded.")
@click.argument("name", required=False)
@OVERRIDES
@TIER
@click.option("--gpu", metavar="CARD", help=f"Card to plan for: {CARDS} or cpu; default: this machine's.")
@click.option(
    "--prompt-tokens", type=COUNT, help="Tokens of the longest prompt; default: as in data on this machine, else 256."
)
@click.option(
    "--measure",
    "is_measured",
    is_flag=True,
    help="Take two steps with the longest samples on this machine, and compare them with the plan.",
)
@click.option(
    "--calibrate",
    type=PATH,
    metavar="FILE",
    help="Fit the times that are planned for a card to steps it took: the gpu.json of make gpu. Without NAME.",
)
@PROCESSES
@ALLOW_CODE
@JSON
def plan_command(
    name: str | None,
    overrides: tuple[str, ...],
    tier: str | None,
    gpu: str | None,
    prompt_tokens: int | None,
    is_measured: bool,
    calibrate: Path | None,
    processes: int | None,
    allow_code: bool,
    as_json: bool,
) -> None:
    """Say a run's peak memory by phase, seconds a step, hours, tokens and disk; and what to change if it does not fit.

    NAME is a recipe or a .yaml file; key=value sets an option of it. Of the model only the config is read, of the data
    the prompts, where they are on this machine. Figures hold for completions as long as allowed.
    """
    from tinyreason.cli.plan_output import fit_lines, plan_lines
    from tinyreason.config.recipe import read_recipe
    from tinyreason.planning.fit import nearest_fit, spare_room
    from tinyreason.planning.model_shape import read_shape
    from tinyreason.planning.plan import make_plan
    from tinyreason.planning.prompt_lengths import read_prompt_lengths

    if calibrate:
        show_calibration(calibrate)
        return
    if name is None:
        raise ConfigError("plan needs the name of a recipe, as in tinyreason plan rlvr; tinyreason recipes lists them.")
    if is_measured and gpu:
        raise ConfigError("--measure is of the machine at hand; leave --gpu out.")
    recipe, overrides = read_recipe(name), with_processes(overrides, processes)
    card, sheet = chosen_card(gpu)
    tier, reason = tier_to_plan(recipe, tier, overrides, card)
    config = recipe.resolve(tier, overrides)
    machine = machine_for(config, card, sheet)
    if is_measured:
        compare_with_plan(recipe, config, overrides, machine, allow_code, as_json)
        return
    prompts = read_prompt_lengths(config, prompt_tokens)

    def replan(more: tuple[str, ...]) -> "Plan":
        changed = recipe.resolve(tier, (*overrides, *more)) if more else config
        return make_plan(changed, machine, prompts.training, shape, prompts.evaluation)

    shape = read_shape(config.model)
    made = replan(())
    suggestion = None if made.fits else nearest_fit(made, replan)
    spare = spare_room(made, replan)
    if as_json:
        click.echo(
            json.dumps(made.as_json() | prompts.as_json() | {"suggestion": suggestion, "spare": spare}, indent=1)
        )
        return
    click.echo("\n".join((*plan_lines(made, reason, prompts), *fit_lines(made, suggestion, spare))))


def show_calibration(file: Path) -> None:
    """Calibrates a card's times, and says what was found."""
    from tinyreason.planning.calibrate import calibrate
    from tinyreason.planning.gpus import cards_file

    found = calibrate(file)
    click.echo(
        f"{found.sheet.name}: {found.steps} steps; a pass reaches {found.sheet.reached:.0%} of its arithmetic, "
        f"launching a kernel takes {found.sheet.launch_us:.1f} µs"
    )
    click.echo(
        f"the plan was off by a factor of {found.worst_before:.2f} at the worst, and is by {found.worst_after:.2f} now"
    )
    click.echo(f"kept in {cards_file()}; remove it to plan with the usual figures again")


def chosen_card(gpu: str | None) -> tuple["Card | None", "Datasheet | None"]:
    """Returns the card that --gpu names, or else this machine's, and its datasheet; None for what there is not."""
    from tinyreason.models.hardware import take_card
    from tinyreason.planning.gpus import datasheet, datasheet_of

    if gpu:
        sheet = datasheet(gpu)
        return sheet and sheet.card(), sheet
    card = take_card()
    return card, card and datasheet_of(card)


def tier_to_plan(
    recipe: "Recipe", asked: str | None, overrides: tuple[str, ...], card: "Card | None"
) -> tuple[str, str]:
    """Chooses as a run does, but takes the smallest GPU tier for a card below it, to say what must change."""
    from tinyreason.config.tiers import GPU_TIERS
    from tinyreason.models.hardware import obstacle, tier_for

    smallest = next((tier for tier in GPU_TIERS if tier in recipe.tiers), None)
    if card and smallest and not asked and (why := obstacle(smallest, card)):
        return smallest, f"the smallest for a GPU; {why}"
    return tier_for(recipe, asked, overrides, card)


def machine_for(config: "RunConfig", card: "Card | None", sheet: "Datasheet | None") -> "Machine":
    """Returns the machine that is planned for: this one's CPU where the tier needs no card, or there is none."""
    from tinyreason.config.tiers import TIERS
    from tinyreason.planning.gpus import memory_of_this_machine
    from tinyreason.planning.plan import GB, Machine

    if card is None or not TIERS[config.tier].needs_gpu:
        return Machine(None, None, memory_of_this_machine() / config.processes)
    return Machine(card, sheet, card.memory_gb * GB)


def compare_with_plan(
    recipe: "Recipe",
    config: "RunConfig",
    overrides: tuple[str, ...],
    machine: "Machine",
    allow_code: bool,
    as_json: bool,
) -> None:
    """Takes two steps here, and says what the plan had said of them."""
    if config.processes > 1:
        raise ConfigError("--measure is of one process; leave --processes and processes= out.")
    from tinyreason.cli.plan_output import measurement_lines
    from tinyreason.config.own_code import check_allowed
    from tinyreason.console import Console, quiet_libraries
    from tinyreason.models.hardware import check_tier
    from tinyreason.models.load import compute_settings_for
    from tinyreason.planning.plan import make_plan

    check_tier(config.tier, machine.card)
    check_allowed(config, allow_code)
    quiet_libraries(offline=config.is_offline)
    compute = compute_settings_for(config.model, config.kernels, machine.card)

    from tinyreason.planning.measure import longest_sample_overrides, measure_steps

    longest = recipe.resolve(config.tier, (*overrides, *longest_sample_overrides(config)))
    measured = measure_steps(longest, compute, Console(stderr=as_json))
    made = make_plan(longest, machine, measured.prompt_tokens)
    found = measured.beside(made)
    click.echo(json.dumps(found, indent=1) if as_json else "\n".join(measurement_lines(found, made)))


@click.command("dry-run", short_help="Try a recipe's whole path on the sandbox model, in about two minutes.")
@click.argument("name")
@OVERRIDES
@TIER
@click.option("--out", type=PATH, help="Folder of the run, which is kept; default: it is thrown away.")
@ALLOW_CODE
def dry_run_command(
    name: str, overrides: tuple[str, ...], tier: str | None, out: Path | None, allow_code: bool
) -> None:
    """Try a recipe's whole path on the sandbox model with the tier's own data: two steps, short completions, no GPU.

    NAME is a recipe or a .yaml file; key=value sets an option of it. Give the tier of the run to come with --on, so
    that its data, rewards and adapter are tried.
    """
    import tempfile

    from tinyreason.cli.train_output import announce
    from tinyreason.config.own_code import check_allowed
    from tinyreason.config.recipe import read_recipe
    from tinyreason.console import Console, quiet_libraries
    from tinyreason.models.hardware import find_card, tier_for
    from tinyreason.models.load import compute_settings_for
    from tinyreason.pipeline.dry_run import dry_run_config, not_seen, reload_adapter, seen_to_work
    from tinyreason.runs.context import RunContext

    recipe = read_recipe(name)
    tier, reason = tier_for(recipe, tier, overrides, find_card())
    config = dry_run_config(recipe, tier, overrides)
    check_allowed(config, allow_code)
    quiet_libraries(offline=config.is_offline)
    compute = compute_settings_for(config.model, config.kernels, card=None)
    with tempfile.TemporaryDirectory() as beside:
        console, folder = Console(), out or Path(beside, "dry-run")
        context = RunContext(console, compute, f"dry run; {reason}")
        announce(context, config, folder)

        from tinyreason.pipeline.run import run
        from tinyreason.pipeline.verify_resume import verify_resume

        result = run(config, folder, context)
        resumed = f"resume      {verify_resume(config, folder, context)}"
        console.say("seen to work:")
        for line in (*seen_to_work(config, result, folder), reload_adapter(folder), resumed):
            console.say(f"  {line}")
        console.say("what a dry run cannot know:")
        for line in not_seen(recipe.resolve(tier, overrides)):
            console.say(f"  {line}")
        console.say(f"took {result.seconds['total']:.0f} s")
