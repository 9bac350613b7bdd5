"""Several rewards, or values of an option, of one recipe at equal compute: what accuracy each keeps at what length."""

import json
import os
import shutil
import time
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

from tinyreason.algorithms.rewards import REWARDS, OwnReward
from tinyreason.atomic import write_text
from tinyreason.config.overrides import listed
from tinyreason.config.own_code import allow_typed, own_leaves
from tinyreason.config.recipe import Recipe
from tinyreason.config.run_config import RunConfig
from tinyreason.config.train_config import TRAINERS
from tinyreason.console import InnerConsole
from tinyreason.data.files import read_json
from tinyreason.errors import ConfigError, FolderBusy, FolderError, Stopped, TinyReasonError, nearest
from tinyreason.grading.strict import accepts
from tinyreason.pipeline.jobs import share_out
from tinyreason.reporting.sweep_plot import draw_sweep
from tinyreason.reporting.sweep_table import (
    BASELINE,
    PLAIN,
    ProblemMeans,
    SeedFigures,
    SweepRow,
    sweep_markdown,
    sweep_rows,
)
from tinyreason.runs.context import RunContext
from tinyreason.runs.folder import read_config
from tinyreason.runs.result import EVALUATION, RESULT, RunResult, StoredEvaluation, StoredProblem, read_result
from tinyreason.runs.resume import NOT_COMPUTED_WITH, differences

OF_TRAINING = {"train", "rewards", "advantage", "samplers"}
"""Sections that say how a run trains, and nothing of what its baseline is."""
LOOK_AGAIN_S = 5.0
"""How long a run that another process has is left alone before it is looked at once more."""


@dataclass(frozen=True)
class Point:
    """One variant, with its values of the varied options."""

    name: str
    variant: dict[str, Any]
    overrides: tuple[str, ...]
    reward: str = ""
    """What was typed as its reward: a variant, a reward, or one of a file of one's own."""


@dataclass(frozen=True)
class SweepRun:
    """One run of a point, and its folder."""

    point: Point
    config: RunConfig
    path: Path


def sweep_points(plan: Recipe, tier: str, rewards: str | None, vary: tuple[str, ...]) -> list[Point]:
    """Returns every combination of the rewards and the varied options, after plain GRPO. Errors: `ConfigError`."""
    known = plan.variants(tier)
    names = [] if rewards is None else list(known) if rewards == "all" else rewards.split(",")
    variants = {name: variant(name, known) for name in names}
    options = [[(key, value) for value in values] for key, values in map(listed, vary)]
    found = []
    for name, *chosen in product(variants or [""], *options):
        overrides = tuple(f"{key}={value}" for key, value in chosen)
        found.append(Point(" ".join((name, *overrides)).strip(), variants.get(name, {}), overrides, name))
    trainer = TRAINERS.get(plan.values.get("trainer"))
    if trainer and trainer.needs_rewards and all(point.name != PLAIN for point in found):
        found.insert(0, Point(PLAIN, variant(PLAIN, known), ()))
    if len({point.name for point in found}) < len(found) or len({*names}) < len(names):
        raise ConfigError("a reward or value is named twice; name each once.")
    return found


def variant(name: str, known: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Returns what a name stands for: the recipe's variant, a reward by itself, or one's own. Errors: `ConfigError`."""
    values = {"kind": name}
    if name not in known and name not in REWARDS and not OwnReward.is_meant(values, REWARDS):
        close = nearest(name, {*known, *REWARDS})
        raise ConfigError(f"--rewards '{name}' is unknown{close}, or all, or a file of your own as ./my.py:reward.")
    return known.get(name, {"rewards": [values]})


def sweep_runs(
    plan: Recipe, tier: str, found: list[Point], overrides: tuple[str, ...], seeds: list[int], out: Path
) -> list[SweepRun]:
    """Returns the runs, every config checked before anything is begun; the seeds of a point together."""
    runs = []
    for point in found:
        for seed in seeds:
            config = plan.resolve(tier, (*overrides, *point.overrides), seed, point.variant)
            allow_typed(config, (f"rewards.0.kind={point.reward}",) if point.reward else ())
            for leaf in own_leaves(config):
                leaf.reference.check()
            runs.append(SweepRun(point, config, out / "runs" / f"{file_stem(point.name)}-seed{seed}"))
    return runs


def file_stem(name: str) -> str:
    """Returns a point's name as a file's; where letters had to go, a hash tells it from others."""
    plain = "".join(c if c.isalnum() or c in "._=-" else "-" for c in name)[:80]
    return plain if plain == name else f"{plain}-{sha256(name.encode()).hexdigest()[:6]}"


def run_sweep(
    runs: list[SweepRun], out: Path, context: RunContext, write: Callable[[list[SweepRun], Path], list] | None = None
) -> list:
    """Does what is not done yet, and writes table and picture after every run; returns the table's rows.

    A run that fails is named, and the others are done; what it had stays, and the next call resumes it. One that
    another process has is left to it, so the same command once more is a second process on the same work; at the end
    it is waited for, and resumed where that process has died.
    """
    console, write = context.console, write or write_sweep
    (out / "runs").mkdir(parents=True, exist_ok=True)
    left = deque(enumerate((one for one in runs if not is_done(one)), 1))
    count, kept, elsewhere = len(left), len(runs) - len(left), set()
    console.aside(f"runs    {len(runs)}: {kept} kept from before, {count} to do")
    rows = write(runs, out) if kept else []
    start = time.monotonic()
    while left:
        number, one = left.popleft()
        label = f"run {kept + number}/{len(runs)} {one.point.name}, seed {one.config.seed}"
        if is_done(one):  # meanwhile, by another process
            rows = write(runs, out)
            continue
        try:
            result = take_run(one, out, context, label)
        except Stopped:
            raise
        except FolderBusy:
            if number not in elsewhere:
                console.aside(f"{label}: another process has it")
            elif all(other in elsewhere for other, _ in left):
                time.sleep(LOOK_AGAIN_S)
            elsewhere.add(number)
            left.append((number, one))
            continue
        except Exception as error:
            reason = str(error) if isinstance(error, TinyReasonError) else f"{type(error).__name__}: {error}"
            console.say(f"{label}: FAILED, {' '.join(reason.split())[:300]} ({log_file(one)})")
            continue
        rows = write(runs, out)
        minutes = (time.monotonic() - start) / 60
        console.say(
            f"{label}: {result.after.accuracy:.1%} correct in {result.after.mean_tokens:.0f} tokens "
            f"(baseline {result.before.accuracy:.1%} in {result.before.mean_tokens:.0f}); "
            f"{minutes:.1f} minutes so far, about {minutes / number * (count - number):.0f} left"
        )
    return rows


def run_sweep_by(jobs: int, runs: list[SweepRun], out: Path, context: RunContext) -> list[SweepRow]:
    """Does what `run_sweep` does by so many processes, each taking what no other has. Errors: as `share_out`."""
    if jobs == 1:
        return run_sweep(runs, out, context)
    context.console.say(f"runs    {len(runs)}: {sum(map(is_done, runs))} kept from before, {jobs} at once")
    share_out([partial(run_sweep, runs, out)] * min(jobs, len(runs)), context)
    return write_sweep(runs, out) if any(map(is_done, runs)) else []


def is_done(one: SweepRun) -> bool:
    """Returns whether the run is finished. Errors: `FolderError` where a run of another config is in its place."""
    earlier = begun_with(one)
    if earlier:
        values = (earlier, one.config.model_dump(mode="json"))
        differing = next(differences(*map(computed_with, values)), None)
        if differing:
            raise FolderError(f"{one.path} holds another run: {differing}; choose another folder with --out.")
    return (one.path / RESULT).exists()


def begun_with(one: SweepRun) -> dict[str, Any] | None:
    """Returns the config that is in the run's place, options that are newer than it at their defaults."""
    values = read_config(one.path)
    with suppress(ValueError):  # pydantic's, and ours, where the options of that time are refused today
        return values and RunConfig.model_validate(values).model_dump(mode="json")
    return values


def computed_with(values: dict[str, Any]) -> dict[str, Any]:
    """Returns what of a config decides a run's numbers; where a warm-up was taken from does not."""
    kept = {name: value for name, value in values.items() if name not in NOT_COMPUTED_WITH}
    return kept | {"warmup": kept["warmup"] and kept["warmup"] | {"adapter": None}}


def take_run(one: SweepRun, out: Path, context: RunContext, label: str) -> RunResult:
    """Does one run, or what is left of it; a warm-up that an earlier run made of the same values is taken over."""
    from tinyreason.pipeline.run import run  # torch and all that trains, which a process that only shows does without

    shared = shared_warmup(one, out)
    with open(log_file(one), "a", encoding="utf-8") as log:
        try:
            console = InnerConsole(context.console, label, log)
            inner = replace(context, console=console, shared_baseline=shared_baseline(one, out))
            return run(starting_at(one, shared), one.path, inner)
        except FolderBusy:
            raise
        except Exception:
            log.write(traceback.format_exc())
            raise
        finally:
            publish(one.path / "warmup", shared)


def log_file(one: SweepRun) -> Path:
    """Returns where the run's words go: a file beside its folder."""
    return one.path.with_name(f"{one.path.name}.log")


def shared_warmup(one: SweepRun, out: Path) -> Path | None:
    """Returns the folder of the warm-up that this run shares with all of the same model, adapter, warm-up and seed."""
    if not one.config.warmup or one.config.warmup.adapter:
        return None
    values = one.config.model_dump(mode="json")
    parts = json.dumps([values[name] for name in ("model", "prompt", "adapter", "warmup", "seed")])
    return out / "warmup" / sha256(parts.encode()).hexdigest()[:12]


def shared_baseline(one: SweepRun, out: Path) -> Path:
    """Returns the file of the baseline that this run shares with all that differ in how they train alone."""
    values = computed_with(one.config.model_dump(mode="json"))
    asks = any(reward.asks_for or reward.asks_for_tokens for reward in one.config.rewards)
    beside = OF_TRAINING - ({"rewards"} if asks else set())  # of those the prompt says something
    parts = json.dumps({name: value for name, value in values.items() if name not in beside}, sort_keys=True)
    return out / "baselines" / f"{sha256(parts.encode()).hexdigest()[:12]}.json"


def starting_at(one: SweepRun, shared: Path | None) -> RunConfig:
    """Returns the config with the warm-up that the run was begun with, or else the shared one, if that is there."""
    if not shared:
        return one.config
    earlier = read_config(one.path)
    adapter = earlier["warmup"]["adapter"] if earlier else str(shared / "adapter") if shared.exists() else None
    return one.config.model_copy(update={"warmup": one.config.warmup.model_copy(update={"adapter": adapter})})


def publish(own: Path, shared: Path | None) -> None:
    """Makes a run's whole warm-up the shared one, unless there is one."""
    if shared and not shared.exists() and (own / "adapter").exists():
        half = shared.with_name(f".{shared.name}.{os.getpid()}.part")
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(own, half)
        with suppress(OSError):  # another process was first
            half.rename(shared)  # what is there is whole
        shutil.rmtree(half, ignore_errors=True)


def write_sweep(runs: list[SweepRun], out: Path) -> list[SweepRow]:
    """Writes frontier.json, .md, .svg and .png of the runs done so far; returns the rows."""
    points: dict[str, list[SeedFigures]] = {BASELINE: []}
    missing, changed = [], []
    for one in runs:
        seed = one.config.seed
        called = f"{one.point.name}, seed {seed}"
        if not (one.path / RESULT).exists():
            missing.append(called)
            continue
        changed += [called] * (read_result(one.path).bit_exact is False)
        evaluation = StoredEvaluation.model_validate(read_json(one.path / EVALUATION))
        baseline, end = problem_means(evaluation.before), problem_means(evaluation.after)
        points.setdefault(one.point.name, []).append(SeedFigures(seed, end, baseline))
        if seed not in [side.seed for side in points[BASELINE]]:
            points[BASELINE].append(SeedFigures(seed, baseline))
    rows = sweep_rows(points)
    write_text(out / "frontier.json", json.dumps([row.as_json() for row in rows], indent=1, ensure_ascii=False))
    write_text(out / "frontier.md", sweep_markdown(rows, missing, changed))
    draw_sweep(rows, out / "frontier")
    return rows


def strictly_correct(problem: StoredProblem) -> list[bool]:
    """Returns of each completion whether the second grader accepts it."""
    rule = problem.example.rule
    return [accepts(one.text, problem.answer, one.truncated, rule) for one in problem.completions]


def problem_means(side: list[StoredProblem]) -> ProblemMeans:
    """Returns each problem's means on one side of an evaluation.json."""
    return ProblemMeans(
        accuracy={problem.id: problem.accuracy for problem in side},
        tokens={problem.id: mean(completion.tokens for completion in problem.completions) for problem in side},
        strict={problem.id: mean(strictly_correct(problem)) for problem in side},
    )
