"""The same recipe with several seeds: a run for each, and one verdict over problems and seeds."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from tinyreason.config.run_config import RunConfig
from tinyreason.console import Console, InnerConsole
from tinyreason.errors import FolderError, Stopped
from tinyreason.evaluation.controls import controls_over_seeds, run_controls
from tinyreason.evaluation.seeds import seed_folder, write_seeds_result
from tinyreason.pipeline.jobs import share_out
from tinyreason.reporting.report import leave_report
from tinyreason.runs.context import RunContext
from tinyreason.runs.environment import command
from tinyreason.runs.result import CONTROLS, RESULT, SeedsResult


def run_seeds(
    configs: Sequence[RunConfig], out: Path, context: RunContext, fresh: bool = False, controls: bool = False
) -> SeedsResult:
    """Runs the configs, which differ in their seed alone, each into a folder in `out`; returns the result over all.

    What is finished is kept, and a run that was stopped is resumed. seeds.json and report.html are of the seeds done so
    far. Errors: those of `run`; `FolderError` where `out` holds a run of one seed.
    """
    check_is_of_seeds(out)
    say, seeds = context.console.say, [config.seed for config in configs]
    for number, config in enumerate(configs, 1):
        say(f"\nseed {config.seed}, run {number} of {len(configs)}")
        run_seed(config, out, context, fresh, controls)
        done = [seed for seed in seeds if (seed_folder(out, seed) / RESULT).is_file()]
        result = write_seeds_result(out, seeds, done, command())
        if controls:
            having = [seed_folder(out, seed) for seed in done if (seed_folder(out, seed) / CONTROLS).is_file()]
            controls_over_seeds(having, out, context.console)
        leave_report(out, say)
    return result


def run_seeds_by(
    jobs: int, configs: Sequence[RunConfig], out: Path, context: RunContext, fresh: bool = False, controls: bool = False
) -> SeedsResult:
    """Does what `run_seeds` does by so many processes, where there are several with a log beside each run's folder.

    Errors: as `share_out`; `Stopped` where a process died and left its runs.
    """
    if jobs == 1:
        return run_seeds(configs, out, context, fresh, controls)
    check_is_of_seeds(out)
    many = min(jobs, len(configs))
    share_out([partial(run_some, configs[first::many], out, fresh, controls) for first in range(many)], context)
    left = sum(not (seed_folder(out, config.seed) / RESULT).is_file() for config in configs)
    if left:
        raise Stopped(f"{left} of {len(configs)} seeds are not done; the same line resumes them")
    return run_seeds(configs, out, replace(context, console=Console(quiet=True)), controls=controls)


def run_some(configs: Sequence[RunConfig], out: Path, fresh: bool, controls: bool, context: RunContext) -> None:
    """Runs some of the seeds, one after the other, as one process among several."""
    out.mkdir(parents=True, exist_ok=True)
    for config in configs:
        with open(out / f"{seed_folder(out, config.seed).name}.log", "a", encoding="utf-8") as log:
            inner = replace(context, console=InnerConsole(context.console, f"seed {config.seed}", log))
            context.console.say(f"seed {config.seed}: {run_seed(config, out, inner, fresh, controls)}")


def run_seed(config: RunConfig, out: Path, context: RunContext, fresh: bool, controls: bool) -> str:
    """Runs one seed, and its controls where they are asked for; returns what came of it, which it says too."""
    from tinyreason.pipeline.run import run

    folder = seed_folder(out, config.seed)
    found = run(config, folder, context, fresh)
    said = f"accuracy {found.before.accuracy:.1%} → {found.after.accuracy:.1%}: {found.verdict}, in {folder}"
    context.console.say(said)
    if controls:
        run_controls(config, folder, context.console, lambda it, at: run(it, at, context, fresh))
    return said


def check_is_of_seeds(out: Path) -> None:
    """Refuses the folder of a single run. Errors: `FolderError`."""
    if (out / "config.yaml").exists():
        raise FolderError(f"{out} holds a run of one seed; choose another folder for several with --out.")
