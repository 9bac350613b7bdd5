"""What is finished is shown on any machine, also on one that could not run it: no card and no data are asked for."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tinyreason.config.run_config import RunConfig
from tinyreason.console import Console
from tinyreason.errors import ResumeError
from tinyreason.evaluation.seeds import seed_folder, write_seeds_result
from tinyreason.reporting.report import leave_report
from tinyreason.runs.environment import command
from tinyreason.runs.folder import read_config
from tinyreason.runs.own_code import changed_files
from tinyreason.runs.result import CONTROLS, RESULT, RunResult, SeedsResult, read_result
from tinyreason.runs.resume import check_config


def finished_result(
    configs: Sequence[RunConfig], out: Path, console: Console, of_seeds: bool, controls: bool = False
) -> RunResult | SeedsResult | None:
    """Returns the result of the runs with these configs in `out`, with their controls, where all are finished.

    Errors: `ResumeError` where a run of another config is in its place; `FolderError` where a result is damaged.
    """
    folders = [seed_folder(out, config.seed) for config in configs] if of_seeds else [out]
    if not all(is_finished(folder, config) for folder, config in zip(folders, configs, strict=True)):
        return None
    if controls and not all((folder / CONTROLS).is_file() for folder in {*folders, out}):
        return None
    console.say(f"this run is finished, and this is its result; --fresh starts over in {out}")
    if not of_seeds:
        return read_result(out)
    seeds = [config.seed for config in configs]
    result = write_seeds_result(out, seeds, seeds, command())
    leave_report(out, console.say)
    return result


def is_finished(out: Path, config: RunConfig) -> bool:
    """Returns whether `out` holds a finished run of this config. Errors: `ResumeError` for one of another config."""
    earlier = read_config(out)
    if earlier:
        check_config(out, earlier, config)
    has_ended = bool(earlier) and (out / RESULT).is_file()
    if has_ended and (changed := next(changed_files(out, config), None)):
        raise ResumeError(
            f"the run in {out} is finished, and {changed.code} has changed since; choose another --out, or start over "
            f"with --fresh."
        )
    return has_ended


def tier_of(out: Path | None, seeds: Sequence[int]) -> str | None:
    """Returns the tier of the run in `out`, or of those of its seeds; None where there is none."""
    found = next(begun_configs(out, seeds), None)
    return found and str(found["tier"])


def processes_of(out: Path | None, seeds: Sequence[int]) -> int | None:
    """Returns how many processes share the run in `out`, or those of its seeds; None where there is none."""
    found = next(begun_configs(out, seeds), None)
    return found and int(found.get("processes", 1))


def begun_configs(out: Path | None, seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Yields the config of each run that is there, as it was written down."""
    return filter(None, map(read_config, run_folders(out, seeds)))


def run_folders(out: Path | None, seeds: Sequence[int]) -> list[Path]:
    """Returns where the run in `out`, or those of its seeds, are; none without an `out`."""
    return [out, *(seed_folder(out, seed) for seed in seeds)] if out else []
