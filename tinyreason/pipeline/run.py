"""The whole story of a run: measure the baseline, train an adapter, measure again, say whether it got better."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyreason import processes
from tinyreason.atomic import write_text
from tinyreason.config.own_code import check_allowed
from tinyreason.config.preconditions import check_preconditions
from tinyreason.config.run_config import RunConfig
from tinyreason.data.sampled import Sampled
from tinyreason.errors import ConfigError, ResumeError
from tinyreason.evaluation.score import Evaluator, Score
from tinyreason.evaluation.template_check import check_template
from tinyreason.example import Example
from tinyreason.grading.grader import Grader
from tinyreason.inference.forcing import closing_token
from tinyreason.inference.local_sampling import base_and_adapter
from tinyreason.inference.teacher_model import load_teacher, teacher_reference
from tinyreason.models.chat_template import turn_end_caveat
from tinyreason.models.load import base_sha256, check_finite, load_model, read_model_config, skeleton
from tinyreason.models.tokenizer import load_tokenizer
from tinyreason.models.training_rows import context_for
from tinyreason.own_code.process import ending_processes
from tinyreason.pipeline.conclusion import close_run
from tinyreason.pipeline.fitting import fitting
from tinyreason.pipeline.launch import helped
from tinyreason.pipeline.own_code import load_own_code, try_own_code
from tinyreason.pipeline.problems import read_problems
from tinyreason.pipeline.served import engine_of, served
from tinyreason.pipeline.stages import trained_on
from tinyreason.pipeline.train import train_adapter
from tinyreason.pipeline.warmup import warm_up
from tinyreason.runs.changes import as_begun
from tinyreason.runs.clock import Clock
from tinyreason.runs.context import RunContext
from tinyreason.runs.folder import RunFolder
from tinyreason.runs.heartbeat import Heart
from tinyreason.runs.own_code import keep_code
from tinyreason.runs.result import RunResult, TemplateCheck
from tinyreason.runs.resume import open_or_resume
from tinyreason.trainers.session import TrainingSession

BASE, START = "base", "start"
MEASURED = {BASE: "bare base", START: "baseline"}
"""File in checkpoints/ → what it holds the evaluation of; `base` only beside an adapter to start from."""
USED = {
    "base_sha256": "another base model",
    "data_sha256": "other data",
    "start_sha256": "another adapter to start from",
    "teacher_sha256": "another teacher",
}
"""What must be the same on resuming → in words where it is not."""


def run(config: RunConfig, out: Path, context: RunContext, fresh: bool = False) -> RunResult:
    """Runs a recipe into the folder `out`, or resumes it there; returns what its result.json holds.

    Errors: `ConfigError`, `DataError`, `ModelError` before anything long begins; `FolderError`, `ResumeError` where
    the folder cannot be used; `NotFinite` where training broke down; `Stopped` where the run had to end early, with
    everything saved.
    """
    check_launched(config)
    clock, console = Clock(), context.console
    opened = open_or_resume(out, config, context, fresh)
    with opened as folder, Grader() as grader, console.saying_caveats(), ending_processes():
        if folder.result:
            console.say(f"this run is finished, and this is its result; --fresh starts over in {out}")
            return folder.result
        with Heart(out, console, context.deadline):
            context = as_begun(folder, config, context)
            with helped(config, out, context.compute, grader) as asked, served(config, out, context) as context:
                return run_in(folder, config, context, asked, clock)


def run_in(folder: RunFolder, config: RunConfig, context: RunContext, grader: Grader, clock: Clock) -> RunResult:
    """Runs a recipe in its open folder, from wherever it was interrupted; returns its result.

    Helpers do too, each in a folder of its own: what they have to know alike is asked of the main process.
    """
    console = context.console
    check_preconditions(config)
    check_allowed(config)
    keep_code(folder, config)
    load_own_code(config)
    check_adapter(config)
    for name in {source.model for source in config.training_sources if isinstance(source, Sampled) and source.model}:
        read_model_config(base_and_adapter(name)[0])
    problems = processes.by_main(lambda: read_problems(config, folder, grader, console))
    model, tokenizer = load_model(config.model, context.compute)
    check_finite(model, config.model)
    if caveat := turn_end_caveat(tokenizer):
        console.say(f"caveat  {caveat}")
    teacher = load_teacher(config, tokenizer)
    longest = context_for(config, model.config)
    problems = processes.by_main(lambda: fitting(config, problems, tokenizer, longest, console))
    evaluator = Evaluator(config, context, tokenizer, grader)
    name, why = engine_of(evaluator, model, problems.evaluation)
    console.say(f"        engine {name} ({why})")
    used = {"base_sha256": base_sha256(config.model), "data_sha256": problems.sha256()}
    used |= {"splits_sha256": problems.splits_sha256()} | teacher_sha256(config)
    try_own_code(evaluator, model, problems.training)
    baseline, base = Baseline(evaluator, problems.evaluation, used, folder, clock), None
    if not config.warmup and not config.adapter.start:
        before = baseline.measure(model, START)
    model = config.adapter.attach(model, config.seed, tokenizer)
    session = TrainingSession(config, context, model, tokenizer, folder, grader, teacher)
    if config.adapter.start:
        baseline.used["start_sha256"] = folder_sha256(Path(config.adapter.start))
        with model.disable_adapter():
            base = baseline.measure(model, BASE)
        before = baseline.measure(model, START)
    if config.warmup:
        with clock.part("warmup"):
            warm_up(session)
        before = baseline.measure(model, START)
    rows = problems.training
    if config.stages or config.data.is_sampled:
        with clock.part("stages"):
            session, rows = trained_on(session, problems, evaluator, baseline.keep_seconds)
    with clock.part("train"):
        training = train_adapter(session, rows, problems.validation, evaluator, clock)
    with clock.part("evaluate"), training.saving_the_last_good():
        after = evaluator.evaluate(model, problems.evaluation, "evaluating the adapter")
    parts = (session, before, after, training, clock, problems, base, baseline.template_check)
    return processes.by_main(lambda: close_run(*parts))


def check_launched(config: RunConfig) -> None:
    """Refuses processes that do not know of each other, or are of another number. Errors: `ConfigError`."""
    if processes.launched():
        raise ConfigError(
            "torchrun and accelerate start the command tinyreason recipe alone; a run that Python begins starts its "
            "processes itself: set processes=2, and start the script without them."
        )
    if processes.count() not in (1, config.processes):
        raise ConfigError(
            f"{processes.count()} processes were launched, and the run has processes={config.processes}; leave it out."
        )


def check_adapter(config: RunConfig) -> None:
    """Refuses, before any weight is read, an adapter that does not fit the model, or a start that does not fit it.

    And budget forcing of a model that does not think in `</think>`.
    """
    bones, adapter, tokenizer = skeleton(config.model), config.adapter, None
    if config.thought_budget:
        tokenizer = load_tokenizer(config.model)
        closing_token(tokenizer)
    adapter.check_model(bones, tokenizer)
    if config.warmup and config.warmup.adapter:
        folder = Path(config.warmup.adapter)
        adapter.check_start(f"warmup.adapter={folder}", folder, adapter.layers(bones))


@dataclass
class Baseline:
    """Measures what the end is compared with, once a run: a resumed one reads what was measured."""

    evaluator: Evaluator
    examples: list[Example]
    used: dict[str, Any]
    """SHA-256 of the base, the data (and its splits) and the adapter that is started from, the same on resuming."""
    folder: RunFolder
    clock: Clock
    template_check: TemplateCheck | None = None
    """How the baseline does when it is asked otherwise; None where that is turned off."""

    def measure(self, model, name: str) -> Score:
        """Returns the score before the first step. Errors: `ResumeError` on another base, data or start."""
        file = self.folder.checkpoints / f"{name}.json"
        shared = self.evaluator.context.shared_baseline if name == START and processes.count() == 1 else None
        if shared and not file.exists():
            self.take(shared)
        if file.exists():
            known = json.loads(file.read_text(encoding="utf-8"))
            for what, words in USED.items():
                if known.get(what) != self.used.get(what):
                    there, here = (str(side.get(what))[:12] for side in (known, self.used))
                    raise ResumeError(
                        f"the run in {self.folder.path} was begun with {words} ({there}… there, {here}… here); give it "
                        f"the same, choose another --out, or start over with --fresh."
                    )
            self.clock.restore(known["seconds"])
            self.evaluator.context.console.say(f"the {MEASURED[name]} was measured before")
            score = Score.read(self.examples, known["before"])
        else:
            with self.clock.part("evaluate"):
                score = self.evaluator.evaluate(model, self.examples, f"measuring the {MEASURED[name]}")
            known = self.used | {"seconds": self.clock.seconds(), "before": score.as_json()}
            self.folder.write_json(f"checkpoints/{name}.json", known)
            if shared:
                leave(shared, known)
        if name == START and self.evaluator.config.evaluation.template_check:
            self.template_check = self.checked(model, score, known)
        return score

    def take(self, shared: Path) -> None:
        """Takes over what a run that begins alike has measured, if it used the same."""
        known = json.loads(shared.read_text(encoding="utf-8")) if shared.exists() else None
        if known and all(known.get(what) == self.used.get(what) for what in USED):
            self.folder.write_json(f"checkpoints/{START}.json", known | {"seconds": self.clock.seconds()})

    def keep_seconds(self) -> None:
        """Writes down what the run has taken so far, so that a session that resumes it counts that too."""
        file = f"checkpoints/{START}.json"
        known = json.loads((self.folder.path / file).read_text(encoding="utf-8"))
        self.folder.write_json(file, known | {"seconds": self.clock.seconds()})

    def checked(self, model, score: Score, known: dict[str, Any]) -> TemplateCheck:
        """Returns how the baseline does when it is asked otherwise: as known, or asked now and written down."""
        if "template_check" in known:
            return TemplateCheck.model_validate(known["template_check"])
        it = self.evaluator
        it.context.deadline.restart_timing()
        with self.clock.part("evaluate"):
            sampling, check_time = it.sampling(1), it.context.deadline.check
            check = check_template(model, it.tokenizer, score, sampling, it.grader, it.context.console, check_time)
        more = {"seconds": self.clock.seconds(), "template_check": check.as_json()}
        self.folder.write_json(f"checkpoints/{START}.json", known | more)
        return check


def leave(shared: Path, known: dict[str, Any]) -> None:
    """Leaves a baseline for runs that begin alike, unless another process was first."""
    shared.parent.mkdir(parents=True, exist_ok=True)
    own = shared.with_suffix(f".{os.getpid()}")
    write_text(own, json.dumps(known))
    own.replace(shared)


def teacher_sha256(config: RunConfig) -> dict[str, str]:
    """Returns the SHA-256 of the teacher's base and adapter, under what a baseline calls it; nothing where none is."""
    found = config.teacher_model and teacher_reference(config.teacher_model, config.model)
    if found is None:
        return {}
    parts = base_sha256(found.model) + (folder_sha256(found.adapter) if found.adapter else "")
    return {"teacher_sha256": hashlib.sha256(parts.encode()).hexdigest()}


def folder_sha256(folder: Path) -> str:
    """Returns the SHA-256 of an adapter folder's configuration and tensors."""
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if file.suffix in (".json", ".safetensors", ".bin"):
            digest.update(f"{file.name} {file.stat().st_size} ".encode() + file.read_bytes())
    return digest.hexdigest()
