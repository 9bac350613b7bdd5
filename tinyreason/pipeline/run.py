"""The whole story of a run: measure the baseline, train an adapter, measure again, say whether it got better."""

import json
import os
from pathlib import Path

from tinyreason.config.run_config import RunConfig
from tinyreason.errors import ConfigError, ResumeError
from tinyreason.evaluation.score import Evaluator, Score
from tinyreason.example import Example
from tinyreason.grading.grader import Grader
from tinyreason.models.load import base_sha256, load_model, skeleton
from tinyreason.pipeline.conclusion import close_run
from tinyreason.pipeline.problems import read_problems
from tinyreason.pipeline.train import train_adapter
from tinyreason.pipeline.warmup import warm_up
from tinyreason.runs.clock import Clock
from tinyreason.runs.context import RunContext
from tinyreason.runs.folder import RunFolder
from tinyreason.runs.result import RunResult
from tinyreason.runs.resume import open_or_resume
from tinyreason.trainers.session import TrainingSession
from tinyreason.trainers.trackers import check_trackers


def run(config: RunConfig, out: Path, context: RunContext, fresh: bool = False) -> RunResult:
    """Runs a recipe into the folder `out`, or resumes it there; returns what its result.json holds.

    Errors: `ConfigError`, `DataError`, `ModelError` before anything long begins; `FolderError`, `ResumeError` where
    the folder cannot be used; `Stopped` where the run had to end early, with everything saved.
    """
    check_processes()
    clock, console = Clock(), context.console
    with open_or_resume(out, config, context, fresh) as folder, Grader() as grader:
        if folder.result:
            console.say(f"this run is finished, and this is its result; --fresh starts over in {out}")
            return folder.result
        check_trackers(config.trl.get("report_to"))
        config.adapter.check_model(skeleton(config.model))
        problems = read_problems(config, folder, grader, console)
        model, tokenizer = load_model(config.model, context.compute)
        evaluator = Evaluator(config, context, tokenizer, grader)
        used = {"base_sha256": base_sha256(model), "data_sha256": problems.sha256()}
        if not config.warmup:
            before = measure_baseline(evaluator, model, problems.evaluation, used, folder, clock)
        model = config.adapter.attach(model, config.seed)
        session = TrainingSession(config, context, model, tokenizer, folder, grader)
        if config.warmup:
            with clock.part("warmup"):
                warm_up(session)
            before = measure_baseline(evaluator, model, problems.evaluation, used, folder, clock)
        with clock.part("train"):
            training = train_adapter(session, problems.training, problems.validation, evaluator, clock)
        with clock.part("evaluate"):
            after = evaluator.evaluate(model, problems.evaluation, "evaluating the adapter")
        return close_run(session, before, after, training, clock)


def check_processes() -> None:
    """Refuses one process among several: groups, histories and advantages are of the whole batch."""
    count = os.environ.get("WORLD_SIZE", "1")  # what torchrun and accelerate set
    if count != "1":
        raise ConfigError(f"a run is one process here, not one of {count}; start it without torchrun or accelerate.")


def measure_baseline(
    evaluator: Evaluator, model, examples: list[Example], used: dict[str, str], folder: RunFolder, clock: Clock
) -> Score:
    """Returns the score before the first step, measured once a run. Errors: `ResumeError` on another base or data."""
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
        evaluator.context.console.say("the baseline was measured before")
        return Score.read(examples, known["before"])
    with clock.part("evaluate"):
        before = evaluator.evaluate(model, examples, "measuring the baseline")
    folder.write_json("checkpoints/start.json", used | {"seconds": clock.seconds(), "before": before.as_json()})
    return before
