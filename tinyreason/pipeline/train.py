"""The training of a run: monitored step by step, saved on the way, resumed where it was interrupted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

from tinyreason import trainers
from tinyreason.console import Live
from tinyreason.errors import NotFinite, Stopped
from tinyreason.evaluation.score import Evaluator
from tinyreason.example import Example
from tinyreason.exporting.card import save_adapter
from tinyreason.grading.hacking_signs import SIGNS, alarming_signs
from tinyreason.models.saved import save_base_facts
from tinyreason.runs.checkpoint import (
    TRAINED,
    Checkpoint,
    CheckpointManager,
    complete_checkpoints,
    kept_file,
    load_trained,
    roll_back,
    write_kept,
)
from tinyreason.runs.clock import Clock
from tinyreason.runs.heartbeat import STEPS
from tinyreason.trainers.session import TrainingSession, budget_spent

Tensors = dict[str, Any]
"""Name → tensor."""

SHOWN = {
    "loss": ("loss", ".3f"),
    "reward/mean": ("reward", ".2f"),
    "length/mean_tokens": ("tokens", ".0f"),
    "kl/mean": ("KL", ".3f"),
}
"""What of a step's metrics the live line shows."""


@dataclass
class Training:
    """Monitors the steps: shows them, asks the validation problems, keeps the adapter that does best on them."""

    session: TrainingSession
    validation: list[Example]
    evaluator: Evaluator
    live: Live
    step: int = 0
    kept_step: int = 0
    kept_accuracy: float = -1.0
    metrics: list[dict[str, float]] = field(default_factory=list)
    warned: set[str] = field(default_factory=set)
    """Signs of reward hacking that were warned of."""
    began: Tensors = field(default_factory=dict)
    """What is trained as it was before the first step, of a resumed run too."""
    latest: Tensors = field(default_factory=dict)
    """The same after the last step."""
    good: tuple[int, Tensors] | None = None
    """The last step whose weights are known to give a finite loss, as a later step computed it, and those weights."""
    resumed_step: int = 0
    checkpoints: CheckpointManager | None = None

    def __call__(self, step: int, metrics: dict[str, float]) -> dict[str, float]:
        """Called after each step; returns what is written beside the step's metrics."""
        session = self.session
        if self.latest:
            self.good = (self.step, self.latest)
        self.step, self.latest = step, trained_tensors(session.model)
        self.metrics.append(metrics)
        note = "  ".join(f"{word} {metrics[name]:{form}}" for name, (word, form) in SHOWN.items() if name in metrics)
        found = self.validate() if self.is_due() else {}
        if self.kept_accuracy >= 0:
            note += f"  validation {self.kept_accuracy:.0%} at step {self.kept_step}"
        self.live.advance(1, note)
        self.checkpoints.ended = budget_spent(session.config, self.metrics)
        self.warn_of_hacking()
        with session.folder.writing("the adapter's history"):
            session.config.adapter.after_step(session.model, session.folder.path, step)
        asked = [callback(step, metrics | found) for callback in session.context.callbacks]
        if any(answer is True for answer in asked) and step < session.config.train.max_steps:
            session.context.deadline.why = session.context.deadline.why or "a callback"
        return found

    def warn_of_hacking(self) -> None:
        """Says once of each sign of reward hacking that it grows, or is too frequent."""
        for sign, (then, now) in alarming_signs(self.metrics).items():
            if sign not in self.warned:
                self.warned.add(sign)
                self.session.context.console.say(
                    f"warning  sign of reward hacking at step {self.step}: of the correct rollouts {now:.0%} "
                    f"{SIGNS[sign]}, {then:.0%} at first"
                )

    def is_due(self) -> bool:
        """Returns whether the validation set is asked after this step."""
        validation = self.session.config.validation
        every = validation and validation.every_steps
        return bool(every) and (self.step % every == 0 or self.step == self.session.config.train.max_steps)

    def validate(self) -> dict[str, float]:
        """Asks the validation set and keeps the adapter where it does better than before; returns the metrics."""
        score = self.evaluator.sample(self.session.model, self.validation, 1, lambda _: None)
        if score.accuracy > self.kept_accuracy:
            self.kept_step, self.kept_accuracy = self.step, score.accuracy
            write_kept(self.session.folder, self.session.model, self.step)
            self.write()
        return {"validation/accuracy": score.accuracy, "validation/mean_tokens": score.mean_tokens}

    def write(self) -> None:
        """Saves the present adapter as the run's."""
        config, model = self.session.config, self.session.model

        def save(place: Path) -> None:
            save_adapter(config, model, place)
            save_base_facts(config.model, self.session.tokenizer, place)

        self.session.folder.write_adapter(save)

    def state(self) -> dict[str, Any]:
        """Returns what a checkpoint saves of it; the metrics are in their file."""
        return {"kept_step": self.kept_step, "kept_accuracy": self.kept_accuracy}

    def restore(self, start: Checkpoint) -> None:
        """Sets what it knew at this checkpoint."""
        self.step, self.metrics = start.step, self.session.folder.read_rows("metrics.jsonl")
        self.kept_step, self.kept_accuracy = (start.state["training"][name] for name in ("kept_step", "kept_accuracy"))

    @contextmanager
    def saving_the_last_good(self) -> Iterator[None]:
        """Has a breakdown inside leave in adapter/ the last adapter that computed finite numbers, and say which."""
        try:
            yield
        except NotFinite as error:
            kept = self.keep_last_good(error.has_finite_loss)
            raise NotFinite(f"{str(error).rstrip('.')}; adapter/ holds {kept}.") from None

    def keep_last_good(self, has_finite_loss: bool) -> str:
        """Writes the last good adapter into adapter/, and returns in words which one it is."""
        if self.kept_step and self.kept_step != self.step:
            load_trained(self.session.model, kept_file(self.session.folder, self.kept_step))
            self.write()
            return f"the adapter of step {self.kept_step}, which the validation set selected"
        step, tensors = (self.step, self.latest) if has_finite_loss else self.good or (0, self.began)
        earlier = [found for found in complete_checkpoints(self.session.folder) if found.step < self.resumed_step]
        if not has_finite_loss and self.good is None and earlier:
            step, place = earlier[-1].step, earlier[-1].path / TRAINED
            load_trained(self.session.model, place)
        else:
            for name, parameter in self.session.model.named_parameters():
                if name in tensors:
                    parameter.data.copy_(tensors[name])
        self.write()
        return f"the adapter after step {step}, the last known to be good" if step else "the adapter that it began with"

    def largest_change(self) -> float:
        """Returns the largest change of a trained number since before the first step."""
        now = trained_tensors(self.session.model)
        return max(float((now[name] - tensor).abs().max()) for name, tensor in self.began.items())

    def taught_nothing(self) -> str | None:
        """Returns why no change of accuracy can come from training: no weight or no gradient but zeros; else None."""
        norms = [row["gradient/norm"] for row in self.metrics[: self.kept_step] if "gradient/norm" in row]
        if self.largest_change() == 0:
            return "training changed no weight, so the adapter is the one that it began with"
        if norms and not any(norms):
            return "the gradient was 0 in every step, so training taught nothing"
        return None

    def close(self) -> None:
        """Makes the kept adapter the model's, and the folder's."""
        if self.kept_step == 0:
            self.kept_step = self.step
        elif self.kept_step != self.step:
            load_trained(self.session.model, kept_file(self.session.folder, self.kept_step))
        self.write()

    def summary(self) -> dict[str, float]:
        """Returns the last steps' reward or loss, and how often GRPO had no gradient."""
        ends = {"reward/mean": "last_reward", "loss": "last_loss"}
        last = {name: [m[name] for m in self.metrics[-10:] if name in m] for name in ends}
        found = {ours: mean(last[name]) for name, ours in ends.items() if last[name]}
        name = "group/share_zero_variance"
        zero_variance = [m[name] for m in self.metrics if name in m]  # not where rollouts are trained on again
        if zero_variance:
            found["scoring_share_of_step_time"] = self.share_of_step("time/score_s")
            if all(advantage.has_baseline for advantage in self.session.config.advantages):
                found["share_zero_variance_groups"] = mean(zero_variance)
        skipped = [m["gradient/skipped"] for m in self.metrics if "gradient/skipped" in m]
        if skipped:
            found["skipped_steps"] = int(sum(skipped))
        return found | {"largest_weight_change": self.largest_change()}

    def share_of_step(self, name: str) -> float:
        """Returns the share of the steps' time that went into this part of them."""
        return sum(m.get(name, 0.0) for m in self.metrics) / sum(m.get("time/step_s", 0.0) for m in self.metrics)


def trained_tensors(model) -> Tensors:
    """Returns copies, off the card, of what is trained of a model."""
    return {name: p.detach().to("cpu", copy=True) for name, p in model.named_parameters() if p.requires_grad}


def train_adapter(
    session: TrainingSession, examples: list[Example], validation: list[Example], evaluator: Evaluator, clock: Clock
) -> Training:
    """Trains the session's adapter, from its last checkpoint on if there is one. Errors: `Stopped`, with all saved."""
    console, deadline = session.context.console, session.context.deadline
    settings, last = session.config.checkpoints, session.config.train.max_steps
    start = roll_back(session.folder)
    with console.live(STEPS, total=last, done=start.step if start else 0) as live:
        training = Training(session, validation, evaluator, live, began=trained_tensors(session.model))
        if start:
            console.say(f"resuming after step {start.step} of {last}")
            training.restore(start)
            clock.restore(start.state["seconds"])
            load_trained(session.model, start.path / TRAINED)
            training.resumed_step = start.step
        training.latest = trained_tensors(session.model)
        checkpoints = training.checkpoints = CheckpointManager(
            session.folder,
            last,
            settings.every_steps,
            settings.keep,
            deadline,
            resumed_from=start,
            run_state=lambda: {"training": training.state(), "seconds": clock.seconds()},
        )
        if reason := checkpoints.explain():
            console.say(reason)
        try:
            if training.step < last and not budget_spent(session.config, training.metrics):
                with deadline.finishing_steps(), training.saving_the_last_good():
                    trainers.train(session, examples, training, checkpoints)
        except KeyboardInterrupt:
            saved = complete_checkpoints(session.folder)
            console.say(f"ended at once; saved up to step {saved[-1].step if saved else 0} of {last}")
            raise
        training.close()
    if deadline.why:
        raise Stopped(f"stopped by {deadline.why} after step {training.step} of {last}, all of it saved")
    return training
