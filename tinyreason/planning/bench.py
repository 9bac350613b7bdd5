"""The yardstick: how long a step takes, beside what TRL alone takes for the same step.

Both sides take turns, each in a process of its own, on the same config; theirs samples and scores as TRL does. A step
is all that lies between two steps' ends, in seconds of processor time, which other work on the machine changes little.
"""

import multiprocessing
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

from tinyreason.config.run_config import Inference, RunConfig
from tinyreason.config.training_split import training_examples
from tinyreason.own_code.reference import ALLOWED
from tinyreason.runs.context import RunContext

OURS, TRL = "tinyreason", "trl"


def bench(config: RunConfig, context: RunContext, against_trl: bool, repeats: int) -> dict[str, Any]:
    """Returns the medians, over `repeats` turns, of the processor seconds a step, and how many times faster ours is."""
    sides = {OURS: config}
    if against_trl:
        sides[TRL] = config.model_copy(update={"inference": Inference(engine="trl")})
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    with context.console.live("measuring: turn", total=repeats * len(sides)) as live:
        for _ in range(repeats):
            for side, its_config in sides.items():
                seconds[side].append(statistics.median(in_process(its_config, context)))
                live.advance()
    found: dict[str, Any] = {
        "recipe": config.recipe,
        "tier": config.tier,
        "model": config.model.name,
        "steps": config.train.max_steps,
        "repeats": repeats,
        "processor_seconds": {side: round(statistics.median(its), 4) for side, its in seconds.items()},
    }
    if against_trl:
        ratios = [theirs / ours for ours, theirs in zip(seconds[OURS], seconds[TRL], strict=True)]
        found |= {
            "times_faster": round(statistics.median(ratios), 2),
            "range": [round(min(ratios), 2), round(max(ratios), 2)],
        }
    return found


def in_process(config: RunConfig, context: RunContext) -> list[float]:
    """Returns what `timed_steps` does, in a new process."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(timed_steps, config, context.compute, ALLOWED).result()


def timed_steps(config: RunConfig, compute, allowed: frozenset[str] | set[str] = frozenset()) -> list[float]:
    """Returns the processor seconds of each step but the first, of a training in a folder that is thrown away.

    `allowed`: the files of code that may run there.
    """
    from tinyreason import trainers
    from tinyreason.console import Console, quiet_libraries
    from tinyreason.grading.grader import Grader
    from tinyreason.inference.teacher_model import load_teacher
    from tinyreason.models.load import load_model
    from tinyreason.runs.folder import RunFolder
    from tinyreason.trainers.session import TrainingSession

    quiet_libraries(config.is_offline)
    ALLOWED.update(allowed)
    times = []

    def watch(step: int, _) -> dict[str, float]:
        times.append(time.process_time())
        return {}

    with tempfile.TemporaryDirectory() as beside, RunFolder(Path(beside, "run")) as folder, Grader() as grader:
        model, tokenizer = load_model(config.model, compute)
        teacher = load_teacher(config, tokenizer)
        model = config.adapter.attach(model, config.seed, tokenizer)
        context = RunContext(Console(quiet=True), compute)
        session = TrainingSession(config, context, model, tokenizer, folder, grader, teacher)
        trainers.train(session, training_examples(config), watch)
    return [after - before for before, after in pairwise(times)]
