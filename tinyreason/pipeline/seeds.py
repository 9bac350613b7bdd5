"""The same recipe with several seeds: a run for each, and one verdict over problems and seeds."""

from collections.abc import Sequence
from pathlib import Path

from tinyreason.config.run_config import RunConfig
from tinyreason.errors import FolderError
from tinyreason.evaluation.controls import controls_over_seeds, run_controls
from tinyreason.evaluation.seeds import seed_folder, write_seeds_result
from tinyreason.pipeline.run import run
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
    if (out / "config.yaml").exists():
        raise FolderError(f"{out} holds a run of one seed; choose another folder for several with --out.")
    say, seeds = context.console.say, [config.seed for config in configs]
    for number, config in enumerate(configs, 1):
        say(f"\nseed {config.seed}, run {number} of {len(configs)}")
        folder = seed_folder(out, config.seed)
        found = run(config, folder, context, fresh)
        say(f"accuracy {found.before.accuracy:.1%} → {found.after.accuracy:.1%}: {found.verdict}, in {folder}")
        if controls:
            run_controls(config, folder, context.console, lambda it, at: run(it, at, context, fresh))
        done = [seed for seed in seeds if (seed_folder(out, seed) / RESULT).is_file()]
        result = write_seeds_result(out, seeds, done, command())
        if controls:
            having = [seed_folder(out, seed) for seed in done if (seed_folder(out, seed) / CONTROLS).is_file()]
            controls_over_seeds(having, out, context.console)
        leave_report(out, say)
    return result
