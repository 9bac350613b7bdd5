"""Several rewards, or values of a knob, of one recipe at equal compute: what accuracy each keeps at what length."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

from tinyreason.config import RunConfig
from tinyreason.errors import ConfigError, FolderError, nearest
from tinyreason.hardware import Means
from tinyreason.recipe import Recipe, listed
from tinyreason.rewards import REWARDS
from tinyreason.run import run
from tinyreason.screen import Screen

PLAIN = "correctness"
"""The variant that everything is held against: GRPO on correctness alone."""
START = "start"


@dataclass(frozen=True)
class Point:
    """One setting of the comparison."""

    name: str
    variant: dict[str, Any]
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class Planned:
    """One run of a point."""

    point: Point
    config: RunConfig
    path: Path

    @property
    def name(self) -> str:
        return self.path.name


def points(plan: Recipe, tier: str, rewards: str | None, vary: tuple[str, ...]) -> list[Point]:
    """Every combination of the rewards and the varied knobs, after plain GRPO."""
    known = plan.variants(tier)
    names = [] if rewards is None else list(known) if rewards == "all" else rewards.split(",")
    variants = {name: variant(name, known) for name in names}
    knobs = [[(key, value) for value in values] for key, values in map(listed, vary)]
    found = []
    for name, *chosen in product(variants or [""], *knobs):
        overrides = tuple(f"{key}={value}" for key, value in chosen)
        found.append(Point(" ".join((name, *overrides)).strip(), variants.get(name, {}), overrides))
    if plan.values.get("trainer") == "grpo" and all(point.name != PLAIN for point in found):
        found.insert(0, Point(PLAIN, variant(PLAIN, known), ()))
    if len({point.name for point in found}) < len(found) or len({*names}) < len(names):
        raise ConfigError("a reward or value is named twice; name each once.")
    return found


def variant(name: str, known: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What a short name stands for: the recipe's variant, or a reward by itself."""
    if name not in known and name not in REWARDS:
        raise ConfigError(f"--rewards '{name}' is unknown{nearest(name, {*known, *REWARDS})}, or all.")
    return known.get(name, {"rewards": [{"kind": name}]})


def planned(plan: Recipe, tier: str, found: list[Point], overrides: tuple[str, ...], seeds: list[int], out: Path):
    """The runs, each point's and seed's config checked before anything is begun; the seeds of a point together."""
    runs = []
    for number, point in enumerate(found):
        for seed in seeds:
            config = plan.resolve(tier, (*overrides, *point.overrides), seed, point.variant)
            stem = "".join(c if c.isalnum() or c in "._=-" else "-" for c in point.name)[:80]
            runs.append(Planned(point, config, out / "runs" / f"{number:02}-{stem}-seed{seed}"))
    return runs


def frontier(runs: list[Planned], out: Path, means: Means, why_tier: str, screen: Screen) -> list[dict[str, Any]]:
    """Does what is not done yet, and writes table and picture after every run; returns the table's rows."""
    (out / "runs").mkdir(parents=True, exist_ok=True)
    left = [one for one in runs if not is_done(one)]
    kept = len(runs) - len(left)
    screen.say(f"runs    {len(runs)}: {kept} kept from before, {len(left)} to do")
    rows = report(runs, out) if kept else []
    start = time.monotonic()
    for number, one in enumerate(left, 1):
        label = f"run {kept + number}/{len(runs)} {one.point.name}, seed {one.config.seed}"
        result = do(one, out, means, why_tier, screen, label)
        rows = report(runs, out)
        minutes = (time.monotonic() - start) / 60
        screen.say(
            f"{label}: {result['after']['accuracy']:.1%} right in {result['after']['mean_tokens']:.0f} tokens "
            f"(start {result['before']['accuracy']:.1%} in {result['before']['mean_tokens']:.0f}); "
            f"{minutes:.1f} minutes so far, about {minutes / number * (len(left) - number):.0f} left"
        )
    return rows


def is_done(one: Planned) -> bool:
    """Whether the run is there already, of the same config; one of another config in its place is an error."""
    if not (one.path / "result.json").exists():
        return False
    was = json.loads(one.path.with_suffix(".json").read_text(encoding="utf-8"))
    differing = sorted(_flat(was) ^ _flat(identity(one.config)))
    if differing:
        raise FolderError(
            f"{one.path} is a finished run with another {differing[0][0]}; choose another folder with --out."
        )
    return True


def identity(config: RunConfig) -> dict[str, Any]:
    """The config as JSON, less where a warm-up was taken from."""
    values = config.model_dump(mode="json")
    if values["warmup"]:
        values["warmup"]["adapter"] = None
    return values


def _flat(values: Any, path: str = "") -> set[tuple[str, str]]:
    if isinstance(values, dict):
        return {pair for key, value in values.items() for pair in _flat(value, f"{path}.{key}".lstrip("."))}
    return {(path, json.dumps(values))}


def do(one: Planned, out: Path, means: Means, why_tier: str, screen: Screen, label: str) -> dict[str, Any]:
    """One run, or what is left of it; a warm-up that an earlier run made of the same values is taken over."""
    config, shared = one.config, None
    if config.warmup and not config.warmup.adapter:
        parts = json.dumps([identity(config)[name] for name in ("model", "prompt", "adapter", "warmup", "seed")])
        shared = out / "warmup" / sha256(parts.encode()).hexdigest()[:12]
        if shared.exists():
            warmup = config.warmup.model_copy(update={"adapter": str(shared / "adapter")})
            config = config.model_copy(update={"warmup": warmup})
    one.path.with_suffix(".json").write_text(json.dumps(identity(one.config), indent=1), encoding="utf-8")
    with open(one.path.with_suffix(".log"), "w", encoding="utf-8") as log:
        result = run(config, one.path, means, why_tier, Inner(screen, label, log))
    if shared and not shared.exists():
        shutil.copytree(one.path / "warmup", shared)
    return result


class Inner(Screen):
    """The screen of one run among several: its live line is shown under the run's name, its words go to a file."""

    def __init__(self, outer: Screen, label: str, log):
        super().__init__(outer.console)
        self.outer, self.label, self.log = outer, label, log

    def say(self, text: str) -> None:
        self.log.write(f"{text}\n")
        self.log.flush()

    @contextmanager
    def live(self, what: str, total: int, done: int = 0) -> Iterator[Any]:
        with self.outer.live(f"{self.label}: {what}", total, done) as live:
            yield live


def report(runs: list[Planned], out: Path) -> list[dict[str, Any]]:
    """Writes frontier.json, .md, .svg and .png of the runs done so far; returns the rows."""
    from tinyreason.frontier_plot import draw
    from tinyreason.frontier_table import markdown, rows_of

    sides: dict[str, list[dict[str, Any]]] = {START: []}
    for one in runs:
        if (one.path / "result.json").exists():
            evaluation = json.loads((one.path / "evaluation.json").read_text(encoding="utf-8"))
            sides.setdefault(one.point.name, []).append({"seed": one.config.seed} | per_problem(evaluation["after"]))
            if one.config.seed not in [side["seed"] for side in sides[START]]:
                sides[START].append({"seed": one.config.seed} | per_problem(evaluation["before"]))
    rows = rows_of(sides, START, PLAIN)
    (out / "frontier.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8")
    (out / "frontier.md").write_text(markdown(rows), encoding="utf-8")
    draw(rows, out / "frontier")
    return rows


def per_problem(side: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """{accuracy, tokens: {problem id: its mean over the replies}} of one side of an evaluation.json."""
    return {
        "accuracy": {problem["id"]: problem["accuracy"] for problem in side},
        "tokens": {problem["id"]: mean(reply["tokens"] for reply in problem["replies"]) for problem in side},
    }
