"""The trainings before a run's own: each in a folder of its own, from the end of the one before, resumed exactly."""

import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from tinyreason import trainers
from tinyreason.adapters import with_adapter
from tinyreason.algorithms.rewards import ask_for_tokens
from tinyreason.config.stage import Stage
from tinyreason.config.train_distill import STAGE
from tinyreason.config.training_split import training_examples
from tinyreason.errors import Stopped
from tinyreason.evaluation.score import Evaluator, side_summary
from tinyreason.example import Example
from tinyreason.exporting.card import save_adapter
from tinyreason.pipeline.problems import check_completions, check_gold_answers
from tinyreason.pipeline.sampled import sampled_examples
from tinyreason.pipeline.train import Tensors, trained_tensors
from tinyreason.pipeline.transformed import transformed_in
from tinyreason.runs.checkpoint import TRAINED, CheckpointManager, load_trained, roll_back
from tinyreason.runs.folder import RunFolder
from tinyreason.trainers.session import TrainingSession

FINISHED = "stage.json"


@dataclass
class Stages:
    """Takes a run's stages; what lies finished is not done again."""

    session: TrainingSession
    training: list[Example]
    """The problems of the run."""
    evaluation: list[Example]
    began: Tensors = field(init=False)
    """What is trained, as it was before the first stage."""
    sampled: list[Example] = field(default_factory=list)
    """What stages so far sampled and kept."""

    def __post_init__(self) -> None:
        self.began = trained_tensors(self.session.model)

    def run(self, evaluator: Evaluator) -> None:
        """Takes all stages; the model's adapter is then as the last one left it. Errors: `Stopped`, with all saved."""
        stages = self.session.config.stage_configs
        for number, (stage, config) in enumerate(stages, 1):
            place = self.session.folder.path / "stages" / f"{number}-{stage.name}"
            self.session.context.console.say(
                f"stage   {number} of {len(stages)}, {stage.name}: {config.data.describe()}"
            )
            self.take(stage, replace(self.session, config=config, folder=stage_folder(place)))
            if stage.measure:
                self.measure(stage, place, evaluator)

    def take(self, stage: Stage, session: TrainingSession) -> None:
        """Trains by one stage, or restores what it left; from its last checkpoint on where it was interrupted."""
        kept, model = session.folder.path / "adapter", self.session.model
        is_done = (session.folder.path / FINISHED).is_file()
        data = self.session.config.data if stage.data is None else stage.data
        if not is_done or data.is_sampled:
            rows = self.rows(session, self.training if stage.data is None else stage_examples(session))
            if not is_done:
                train_stage(session, rows, f"stage {session.folder.path.name}")
                save_adapter_whole(session, kept)
                session.folder.write_json(FINISHED, {"rows": len(rows), "steps": session.config.train.max_steps})
        if stage.reference == "reset":
            session.config.adapter.start_from(model, kept)
        else:
            session.config.adapter.restore(model, kept)

    def rows(self, session: TrainingSession, problems: list[Example]) -> list[Example]:
        """Returns what a session trains on: its data, or what the model now samples for them.

        Where samples are trained on from the start again, the model's adapter is that of the start afterwards.
        """
        data = session.config.data
        if not data.is_sampled:
            return problems
        found = sampled_examples(session, problems, self.sampled)
        self.sampled = found if data.with_earlier else [*self.sampled, *found]
        if data.start == "base":
            self.begin_again()
        return found

    def begin_again(self) -> None:
        """Puts back what was trained before the first stage."""
        for name, parameter in self.session.model.named_parameters():
            if name in self.began:
                parameter.data.copy_(self.began[name])

    def taught(self) -> TrainingSession:
        """Returns the run's session, taught by what the last stage left; the student begins as the stages did."""
        stages = self.session.config.stage_configs
        folder = self.session.folder.path / "stages" / f"{len(stages)}-{stages[-1][0].name}" / "adapter"
        self.begin_again()
        teacher = with_adapter(self.session.teacher, folder)
        return replace(self.session, teacher=teacher.requires_grad_(False).eval())

    def measure(self, stage: Stage, place: Path, evaluator: Evaluator) -> None:
        """Asks the evaluation of the adapter that a stage left, once, and writes down how it did."""
        file, console = place / "evaluation.json", self.session.context.console
        if not file.is_file():
            score = evaluator.evaluate(self.session.model, self.evaluation, f"measuring after {place.name}")
            summary = side_summary([score]).model_dump() | {"problems_asked": score.as_json()}
            stage_folder(place).write_json(file.name, summary)
        found = json.loads(file.read_text(encoding="utf-8"))
        low, high = found["interval"]
        console.say(f"        {found['accuracy']:.1%} [{low:.1%}, {high:.1%}] correct after {place.name}")


def trained_on(
    session: TrainingSession, training: list[Example], evaluation: list[Example], evaluator: Evaluator
) -> tuple[TrainingSession, list[Example]]:
    """Takes all stages of a run; returns its session, and what it trains on. Errors: `Stopped`, with all saved."""
    stages = Stages(session, training, evaluation)
    stages.run(evaluator)
    rows = stages.rows(session, training)
    teacher = session.config.teacher_model
    return stages.taught() if teacher and teacher.name == STAGE else session, rows


def stage_folder(place: Path) -> RunFolder:
    """Returns the folder of a stage, which may hold something."""
    return RunFolder(place, is_resumed=True)


def stage_examples(session: TrainingSession) -> list[Example]:
    """Returns what a stage with data of its own trains on, or samples completions to. Errors: `DataError`."""
    config, examples = session.config, training_examples(session.config)
    if config.train.needs_rewards or config.data.is_sampled:
        check_gold_answers([example for example in examples if example.answer], session.grader)
    else:
        check_completions(examples)
    if not config.data.is_sampled:
        examples = transformed_in(session, examples)
    return ask_for_tokens(config.rewards, examples)


def train_stage(session: TrainingSession, rows: list[Example], what: str) -> None:
    """Takes all steps of a session in its folder, from its last checkpoint on. Errors: `Stopped`, with all saved."""
    console, deadline, settings = session.context.console, session.context.deadline, session.config.checkpoints
    last, start = session.config.train.max_steps, roll_back(session.folder)
    step = start.step if start else 0
    if start:
        load_trained(session.model, start.path / TRAINED)
        console.say(f"resuming {what} after step {step} of {last}")
    with console.live(f"{what}: step", total=last, done=step) as live:

        def watch(now: int, metrics: dict[str, float]) -> dict[str, float]:
            nonlocal step
            step = now
            shown = {"loss": "loss", "reward/mean": "reward", "length/mean_tokens": "tokens"}
            live.advance(1, "  ".join(f"{word} {metrics[name]:.3g}" for name, word in shown.items() if name in metrics))
            return {}

        options = (last, settings.every_steps, settings.keep, deadline)
        checkpoints = CheckpointManager(session.folder, *options, resumed_from=start)
        if step < last:
            with deadline.finishing_steps():
                trainers.train(session, rows, watch, checkpoints)
    if deadline.why:
        raise Stopped(f"stopped by {deadline.why} after step {step} of {last} of {what}, all of it saved")


def save_adapter_whole(session: TrainingSession, kept: Path) -> None:
    """Saves a stage's adapter, whole or not at all, and removes what was there to resume from."""
    half = kept.with_name(".adapter.part")
    with session.folder.writing("the adapter of a stage"):
        for left_over in (half, kept):
            shutil.rmtree(left_over, ignore_errors=True)
        save_adapter(session.config, session.model, half)
        half.rename(kept)
        shutil.rmtree(session.folder.checkpoints, ignore_errors=True)
