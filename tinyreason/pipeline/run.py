"""The whole story of a run: measure the base, train an adapter, measure again, say whether it got better."""

import hashlib
import json
import os
from pathlib import Path

from tinyreason.config.run_config import RunConfig
from tinyreason.console import Console
from tinyreason.errors import ConfigError, ResumeError
from tinyreason.evaluation.score import Evaluator, Score
from tinyreason.example import Example
from tinyreason.grading.grader import Grader
from tinyreason.models.hardware import ComputeSettings
from tinyreason.models.load import base_sha256, load_model, skeleton
from tinyreason.pipeline.conclusion import close_run
from tinyreason.pipeline.problems import read_problems
from tinyreason.pipeline.train import train
from tinyreason.pipeline.warmup import warm_up
from tinyreason.runs.clock import Clock
from tinyreason.runs.deadline import Deadline
from tinyreason.runs.folder import RunFolder
from tinyreason.runs.result import RunResult
from tinyreason.runs.resume import open_or_continue
from tinyreason.trainers.session import TrainingSession
from tinyreason.trainers.trackers import check_trackers


def run(
    config: RunConfig,
    out: Path,
    compute: ComputeSettings,
    why_tier: str,
    console: Console,
    stop: Deadline | None = None,
    fresh: bool = False,
) -> RunResult:
    """Runs a recipe into the folder `out`, or goes on with it there; returns what its result.json holds."""
    check_processes()
    clock, stop = Clock(), stop or Deadline()
    with open_or_continue(out, config, compute, why_tier, fresh) as folder, Grader() as grader:
        if folder.result:
            console.say(f"this run is finished, and this is its result; --fresh starts over in {out}")
            return folder.result
        check_trackers(config.trl.get("report_to"))
        config.adapter.check(skeleton(config.model))
        examples, questions, checks = read_problems(config, folder, grader, console)
        model, tokenizer = load_model(config.model, compute)
        evaluator = Evaluator(config, tokenizer, grader, console, stop)
        used = {"base_sha256": base_sha256(model), "data_sha256": data_sha256(examples, questions, checks)}
        if not config.warmup:
            before = measure_baseline(evaluator, model, questions, used, folder, clock)
        model = config.adapter.attach(model, config.seed)
        session = TrainingSession(config, compute, model, tokenizer, folder)
        if config.warmup:
            with clock.part("warmup"):
                warm_up(session, console)
            before = measure_baseline(evaluator, model, questions, used, folder, clock)
        with clock.part("train"):
            training = train(session, examples, checks, evaluator, clock)
        with clock.part("evaluate"):
            after = evaluator.examine(model, questions, "measuring the adapter")
        return close_run(session, before, after, training, clock)


def check_processes() -> None:
    """Groups, histories and advantages are of the whole batch; a process among several would see a slice of it."""
    count = os.environ.get("WORLD_SIZE", "1")  # what torchrun and accelerate set
    if count != "1":
        raise ConfigError(f"a run is one process here, not one of {count}; start it without torchrun or accelerate.")


def measure_baseline(
    evaluator: Evaluator, model, questions: list[Example], used: dict[str, str], folder: RunFolder, clock: Clock
) -> Score:
    """The evaluation before the first step, once a run. Errors: `ResumeError` on another base or other data."""
    file = folder.checkpoints / "start.json"
    if file.exists():
        known = json.loads(file.read_text(encoding="utf-8"))
        for name, what in (("base_sha256", "another base model"), ("data_sha256", "other data")):
            if known[name] != used[name]:
                raise ResumeError(
                    f"the run in {folder.path} was begun with {what} ({known[name][:12]}… there, {used[name][:12]}… "
                    f"here); give it the same, choose another --out, or start over with --fresh."
                )
        clock.restore(known["seconds"])
        evaluator.console.say("the start was measured before")
        return Score.read(questions, known["before"])
    with clock.part("evaluate"):
        what = "measuring the start" if evaluator.config.warmup else "measuring the base"
        before = evaluator.examine(model, questions, what)
    folder.write_json("checkpoints/start.json", used | {"seconds": clock.seconds(), "before": before.as_json()})
    return before


def data_sha256(*parts: list[Example]) -> str:
    """Of every problem that is trained on or asked, in order."""
    rows = [[vars(example) for example in part] for part in parts]
    return hashlib.sha256(json.dumps(rows, default=str).encode()).hexdigest()
