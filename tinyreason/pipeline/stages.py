"""The trainings before a run's own: each in a folder of its own, from the end of the one before, resumed exactly."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from tinyreason import processes, trainers
from tinyreason.adapters import with_adapter
from tinyreason.algorithms.rewards import ask_for_tokens
from tinyreason.config.stage import Stage
from tinyreason.config.training_split import training_examples
from tinyreason.config.until import VALIDATION, Until
from tinyreason.data.rollouts import Rollouts
from tinyreason.errors import Stopped
from tinyreason.evaluation.score import Evaluator, side_summary
from tinyreason.example import Example
from tinyreason.exporting.card import save_adapter
from tinyreason.pipeline.carried import carried_examples
from tinyreason.pipeline.problems import RunProblems, check_completions, check_gold_answers
from tinyreason.pipeline.sampled import sampled_examples
from tinyreason.pipeline.train import Tensors, trained_tensors
from tinyreason.pipeline.transformed import transformed_in
from tinyreason.runs.checkpoint import TRAINED, CheckpointManager, load_trained, roll_back
from tinyreason.runs.clock import Clock
from tinyreason.runs.folder import RunFolder
from tinyreason.runs.stage_result import STAGE, STAGE_SCORE, StageResult, read_stage, rows_changed
from tinyreason.trainers.session import TrainingSession, budget_spent


@dataclass
class Stages:
    """Takes a run's stages; what lies finished is not done again."""

    session: TrainingSession
    problems: RunProblems
    evaluator: Evaluator
    after_each: Callable[[], None] = lambda: None
    """Called when a stage is done, or stopped."""
    began: Tensors = field(init=False)
    """What is trained, as it was before the first stage."""
    sampled: list[Example] = field(default_factory=list)
    """What stages so far sampled and kept."""

    def __post_init__(self) -> None:
        self.began = trained_tensors(self.session.model)

    def run(self) -> None:
        """Takes all stages; the model's adapter is then as the last one left it. Errors: `Stopped`, with all saved."""
        stages = self.session.config.stage_configs
        for number, (stage, config) in enumerate(stages, 1):
            place = self.session.folder.path / "stages" / f"{number}-{stage.name}"
            self.session.context.console.say(
                f"stage   {number} of {len(stages)}, {stage.name}: {config.data.describe()}"
            )
            try:
                self.take(stage, replace(self.session, config=config, folder=stage_folder(place)))
                if stage.measure:
                    self.measure(place)
            finally:
                self.after_each()

    def take(self, stage: Stage, session: TrainingSession) -> None:
        """Trains by one stage, or restores what it left; from its last checkpoint on where it was interrupted."""
        kept, model, clock = session.folder.path / "adapter", self.session.model, Clock()
        is_done = (session.folder.path / STAGE).is_file()
        data = self.session.config.data if stage.data is None else stage.data
        if not is_done or data.is_sampled:
            own = self.problems.training if stage.data is None else processes.by_main(lambda: stage_examples(session))
            rows = self.rows(session, own)
            if not is_done:
                ending = Ending.of(stage, self)
                train_stage(session, rows, f"stage {session.folder.path.name}", clock, ending)
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
        if isinstance(data, Rollouts):
            root = self.session.folder.path
            return processes.by_main(lambda: carried_examples(session, problems, root))
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

    def validate(self, step: int) -> dict[str, float]:
        """Returns the accuracy on the run's validation set, where it is asked after this step."""
        settings, problems = self.session.config.validation, self.problems.validation
        if step % settings.every_steps:
            return {}
        return {VALIDATION: self.evaluator.sample(self.session.model, problems, 1, lambda _: None).accuracy}

    def measure(self, place: Path) -> None:
        """Asks the evaluation of the adapter that a stage left, once, and writes down how it did."""
        if not (place / STAGE_SCORE).is_file():
            asked = self.problems.evaluation
            score = self.evaluator.evaluate(self.session.model, asked, f"measuring after {place.name}")
            summary = side_summary([score]).model_dump() | {"problems_asked": score.as_json()}
            stage_folder(place).write_json(STAGE_SCORE, summary)
        side = read_stage(place).score
        low, high = side.interval
        said = f"        {side.accuracy:.1%} [{low:.1%}, {high:.1%}] correct after {place.name}"
        self.session.context.console.say(said)


def trained_on(
    session: TrainingSession,
    problems: RunProblems,
    evaluator: Evaluator,
    after_each: Callable[[], None] = lambda: None,
) -> tuple[TrainingSession, list[Example]]:
    """Takes all stages of a run; returns its session, and what it trains on. Errors: `Stopped`, with all saved."""
    stages = Stages(session, problems, evaluator, after_each)
    stages.run()
    rows = stages.rows(session, problems.training)
    teacher = session.config.teacher_model
    return stages.taught() if teacher and teacher.is_of_a_stage else session, rows


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


@dataclass
class Ending:
    """Says when a stage ends before its last step; as its metrics.jsonl says, so that a resumed one ends there too."""

    until: Until | None = None
    validate: Callable[[int], dict[str, float]] = lambda step: {}
    """Returns what is asked beside the step's metrics."""
    values: list[float] = field(default_factory=list)
    """Of the metric, so far."""

    @classmethod
    def of(cls, stage: Stage, stages: Stages) -> Self:
        """Returns that of a stage."""
        is_validated = stage.until and stage.until.metric == VALIDATION
        return cls(stage.until, *([stages.validate] if is_validated else []))

    def after(self, metrics: dict[str, float]) -> str | None:
        """Returns why the stage ends after a step of these metrics; None where it does not."""
        if self.until is None or self.until.metric not in metrics:
            return None
        self.values.append(metrics[self.until.metric])
        return self.until.met(self.values)


def train_stage(
    session: TrainingSession, rows: list[Example], what: str, clock: Clock, ending: Ending | None = None
) -> None:
    """Takes all steps of a session in its folder, from its last checkpoint on, and leaves its adapter and stage.json.

    Errors: `Stopped`, with all saved.
    """
    console, deadline, settings = session.context.console, session.context.deadline, session.config.checkpoints
    last, start = session.config.train.max_steps, roll_back(session.folder)
    step, ending, ended = start.step if start else 0, ending or Ending(), None
    done = session.folder.read_rows("metrics.jsonl")
    for row in done:
        ended = ending.after(row)
    ended = ended or budget_spent(session.config, done)
    if start:
        load_trained(session.model, start.path / TRAINED)
        clock.restore(start.state["seconds"])
        console.say(f"resuming {what} after step {step} of {last}")
    with console.live(f"{what}: step", total=last, done=step) as live:

        def watch(now: int, metrics: dict[str, float]) -> dict[str, float]:
            nonlocal step
            step, found = now, ending.validate(now)
            done.append(metrics)
            checkpoints.ended = ending.after(metrics | found) or budget_spent(session.config, done)
            shown = {"loss": "loss", "reward/mean": "reward", "length/mean_tokens": "tokens"}
            live.advance(1, "  ".join(f"{word} {metrics[name]:.3g}" for name, word in shown.items() if name in metrics))
            return found

        options = (last, settings.every_steps, settings.keep, deadline)
        state = {"resumed_from": start, "run_state": lambda: {"seconds": clock.seconds()}}
        checkpoints = CheckpointManager(session.folder, *options, **state, ended=ended)
        if step < last and not ended:
            with deadline.finishing_steps():
                trainers.train(session, rows, watch, checkpoints)
    if deadline.why:
        raise Stopped(f"stopped by {deadline.why} after step {step} of {last} of {what}, all of it saved")
    save_adapter_whole(session)
    early = {"ended": checkpoints.ended, "at_most": last} if checkpoints.ended and step < last else {}
    if early:
        console.say(f"        {what} ended after step {step} of {last}: {checkpoints.ended}")
    result = StageResult(
        name=session.folder.path.name,
        trainer=session.config.trainer,
        data=session.config.data.describe(),
        rows=len(rows),
        rows_changed=rows_changed(session.folder.path),
        steps=step,
        seconds=clock.seconds()["total"],
        **early,
    )
    session.folder.write_json(STAGE, result.as_json())


def save_adapter_whole(session: TrainingSession) -> None:
    """Saves a stage's adapter, whole or not at all, and removes what was there to resume from."""
    kept, half = session.folder.adapter, session.folder.path / ".adapter.part"
    with session.folder.writing("the adapter of a stage"):
        for left_over in (half, kept):
            shutil.rmtree(left_over, ignore_errors=True)
        save_adapter(session.config, session.model, half)
        half.rename(kept)
        shutil.rmtree(session.folder.checkpoints, ignore_errors=True)
