"""What an evaluation is asked for, in words, made into a benchmark run: which models, which problems, which folder."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from tinyreason.algorithms.votes import VOTES
from tinyreason.console import Console
from tinyreason.errors import ConfigError, nearest
from tinyreason.evaluation.benchmark_folder import EvalFolder
from tinyreason.evaluation.benchmark_run import (
    BenchmarkResult,
    BenchmarkRun,
    default_evaluation_folder,
    gradable_problems,
    run_benchmarks,
)
from tinyreason.evaluation.benchmarks import BENCHES, find_bench, read_file
from tinyreason.evaluation.circular import rotations
from tinyreason.evaluation.leaks import leave_out_trained
from tinyreason.example import Example
from tinyreason.grading.grader import Grader
from tinyreason.inference.model_reference import ModelReference, read_model_reference
from tinyreason.inference.sampling import Sampling

Announce = Callable[[Console, BenchmarkRun, Path], None]


def evaluate_sides(
    sides: dict[str, ModelReference],
    benches: dict[str, list[Example]],
    sampling: Sampling,
    out: Path | None,
    console: Console,
    check_template: bool = True,
    announce: Announce = lambda console, benchmark_run, folder: None,
    votes: tuple[str, ...] = (),
) -> tuple[BenchmarkResult, Path]:
    """Evaluates the models, or resumes that in the same folder; returns what eval.json holds, and the folder.

    Problems that a side was trained on, whole or nearly, and those whose gold answers cannot be graded are left out,
    and that is said. Errors: `DataError` where none is left, `FolderError` where the folder holds another evaluation.
    """
    sampling = sampling_for_votes(sampling, votes)
    benches = leave_out_trained(sides, benches, console)
    with Grader() as grader, console.saying_caveats():
        reasons = {name: BENCHES[name].ungradable if name in BENCHES else {} for name in benches}
        fine = {name: gradable_problems(name, rows, grader, console, reasons[name]) for name, rows in benches.items()}
        benchmark_run = BenchmarkRun(sides, fine, sampling, check_template, votes)
        out = out or default_evaluation_folder(sides, list(fine), sampling.seed)
        folder = EvalFolder(out, benchmark_run.settings(), fine)
        announce(console, benchmark_run, folder.path)
        return run_benchmarks(benchmark_run, folder, grader, console), folder.path


def sampling_for_votes(sampling: Sampling, votes: tuple[str, ...]) -> Sampling:
    """Returns the sampling that keeps what the votes need of the completions. Errors: `ConfigError`."""
    for word in votes:
        if word not in VOTES:
            raise ConfigError(f"there is no vote '{word}'{nearest(word, VOTES)}.")
    if votes and sampling.samples < 2:
        raise ConfigError("one completion is not a vote; type --samples with 2 or more.")
    return replace(sampling, keeps_certainty=any("certainty" in VOTES[word].needs for word in votes))


def read_sides(
    reference: str, against: str | None = None, base: str | None = None, chat_template: str | None = None
) -> dict[str, ModelReference]:
    """Returns the model asked, on `base` where that is given, and, as `against`, the one it is compared with.

    Both are asked with the file of a `chat_template` where that is given.
    """
    sides = {"model": read_model_reference(reference, base=base)}
    if against == "base" and sides["model"].adapter is None:
        raise ConfigError(f"{reference} is not a run or an adapter, so it has no base; give --against a model.")
    if against:
        sides["against"] = sides["model"].base() if against == "base" else read_model_reference(against)
    return {side: one.asked_with(chat_template) for side, one in sides.items()}


def needs_no_network(references: Iterable[ModelReference], bench: str | None, data: tuple[Path, ...]) -> bool:
    """Returns whether the models and the problems are all on this machine."""

    names = bench.split(",") if bench and not data else []
    is_near = all(reference.is_local for reference in references)
    return is_near and all(BENCHES[name].is_offline for name in names if name in BENCHES)


def load_benches(
    bench: str | None, data: tuple[Path, ...], limit: int | None, is_circular: bool = False
) -> dict[str, list[Example]]:
    """Returns name → problems of the benches asked for, the first `limit` of each, in every rotation if circular."""
    found = read_benches(bench, data, limit)
    return {name: rotations(rows) for name, rows in found.items()} if is_circular else found


def read_benches(bench: str | None, data: tuple[Path, ...], limit: int | None) -> dict[str, list[Example]]:
    """Returns name → problems of the benches asked for, the first `limit` of each."""

    if not bench:
        if not data:
            raise ConfigError(f"nothing to ask: give --bench with some of {', '.join(BENCHES)}, or --data FILE.")
        return {file.stem: read_file(file, limit) for file in data}
    names = [name.strip() for name in bench.split(",")]
    found = [find_bench(name) for name in names]
    if data and len(data) != len(names):
        raise ConfigError(f"{len(names)} benches and {len(data)} --data files; give one for each, in their order.")
    files = data or [None] * len(names)
    return {name: one.load(file, limit) for name, one, file in zip(names, found, files, strict=True)}
