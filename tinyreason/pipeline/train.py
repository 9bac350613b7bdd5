"""The training of a run: watched step by step, saved on the way, taken up where it was cut short."""

from dataclasses import dataclass, field
from statistics import mean
from typing import Any

from tinyreason.console import Live
from tinyreason.errors import Stopped
from tinyreason.evaluation.score import Evaluator
from tinyreason.example import Example
from tinyreason.runs.checkpoint import TRAINED, Checkpoint, Checkpoints, Lifeline, load_trained
from tinyreason.runs.clock import Clock
from tinyreason.trainers.session import TrainingSession

SHOWN = {
    "loss": ("loss", ".3f"),
    "reward/mean": ("reward", ".2f"),
    "length/mean_tokens": ("tokens", ".0f"),
    "kl/mean": ("KL", ".3f"),
}
"""What of a step's metrics the live line shows."""


@dataclass
class Training:
    """Watches the steps: shows them, asks the validation problems, keeps the adapter that answers them best."""

    session: TrainingSession
    checks: list[Example]
    evaluator: Evaluator
    checkpoints: Checkpoints
    live: Live
    step: int = 0
    kept_step: int = 0
    kept_accuracy: float = -1.0
    metrics: list[dict[str, float]] = field(default_factory=list)

    def __call__(self, step: int, metrics: dict[str, float]) -> dict[str, float]:
        """After each step; what it returns is written beside the step's metrics."""
        self.step = step
        self.metrics.append(metrics)
        note = "  ".join(f"{word} {metrics[name]:{form}}" for name, (word, form) in SHOWN.items() if name in metrics)
        found = self.validate() if self.is_due() else {}
        if self.kept_accuracy >= 0:
            note += f"  held-out {self.kept_accuracy:.0%} at step {self.kept_step}"
        self.live.advance(1, note)
        with self.session.folder.writing("the adapter's history"):
            self.session.config.adapter.after_step(self.session.model, self.session.folder.path, step)
        return found

    def is_due(self) -> bool:
        every = self.session.config.validation and self.session.config.validation.every_steps
        return bool(every) and (self.step % every == 0 or self.step == self.session.config.train.max_steps)

    def validate(self) -> dict[str, float]:
        score = self.evaluator.ask(self.session.model, self.checks, 1, lambda _: None)
        if score.accuracy > self.kept_accuracy:
            self.kept_step, self.kept_accuracy = self.step, score.accuracy
            self.checkpoints.write_kept(self.session.model, self.step)
            self.write()
        return {"validation/accuracy": score.accuracy, "validation/mean_tokens": score.mean_tokens}

    def write(self) -> None:
        """What the model has becomes the run's adapter."""
        self.session.folder.write_adapter(lambda place: self.session.config.adapter.save(self.session.model, place))

    def state(self) -> dict[str, Any]:
        """What a checkpoint saves of it; the metrics are in their file."""
        return {"kept_step": self.kept_step, "kept_accuracy": self.kept_accuracy}

    def restore(self, start: Checkpoint) -> None:
        """Knows what it knew at this checkpoint."""
        self.step, self.metrics = start.step, self.session.folder.read_rows("metrics.jsonl")
        self.kept_step, self.kept_accuracy = (start.state["training"][name] for name in ("kept_step", "kept_accuracy"))

    def close(self) -> None:
        """The kept adapter is what the model has and the folder holds."""
        if self.kept_step == 0:
            self.kept_step = self.step
        elif self.kept_step != self.step:
            load_trained(self.session.model, self.checkpoints.kept_file(self.kept_step))
        self.write()

    def summary(self) -> dict[str, float]:
        """The last steps' reward or loss, and how often GRPO had no gradient."""
        ends = {"reward/mean": "last_reward", "loss": "last_loss"}
        found = {
            ours: mean(m[name] for m in self.metrics[-10:]) for name, ours in ends.items() if name in self.metrics[0]
        }
        if "group/share_zero_variance" in self.metrics[0]:
            found["scoring_share_of_step_time"] = self.share_of_step("time/score_s")
            found["share_zero_variance_groups"] = mean(m["group/share_zero_variance"] for m in self.metrics)
        return found

    def share_of_step(self, name: str) -> float:
        """What share of the steps' time went into this part of them."""
        return sum(m[name] for m in self.metrics) / sum(m["time/step_s"] for m in self.metrics)


def train(
    session: TrainingSession, examples: list[Example], checks: list[Example], evaluator: Evaluator, clock: Clock
) -> Training:
    """Trains the adapter, from the last checkpoint on if there is one. Errors: `Stopped`, with all of it saved."""
    console, stop = evaluator.console, evaluator.stop
    options, last = session.config.checkpoints, session.config.train.max_steps
    checkpoints = Checkpoints(session.folder, options.every_steps, options.keep, last)
    start = checkpoints.go_back()
    with console.live("step", total=last, done=start.step if start else 0) as live:
        training = Training(session, checks, evaluator, checkpoints, live)
        checkpoints.watch_state = lambda: {"training": training.state(), "seconds": clock.seconds()}
        if start:
            console.say(f"going on after step {start.step} of {last}")
            training.restore(start)
            clock.restore(start.state["seconds"])
            load_trained(session.model, start.path / TRAINED)
        try:
            if training.step < last:
                lifeline = Lifeline(checkpoints, stop, start, console.say)
                with stop.finishing_steps():
                    take_steps(training, examples, lifeline)
        except KeyboardInterrupt:
            saved = checkpoints.whole()
            console.say(f"ended at once; saved up to step {saved[-1].step if saved else 0} of {last}")
            raise
        training.close()
    if stop.why:
        raise Stopped(f"stopped by {stop.why} after step {training.step} of {last}, all of it saved")
    return training


def take_steps(training: Training, examples: list[Example], lifeline: Lifeline) -> None:
    """The steps themselves, by the trainer of the recipe."""
    from tinyreason.trainers import grpo, sft

    session, evaluator = training.session, training.evaluator
    if session.config.trainer == "sft":
        sft.train(session, examples, training, evaluator.console.say, lifeline)
    else:
        grpo.train(session, examples, evaluator.grader, training, lifeline)
