"""What every trainer asks of TRL and of transformers' Trainer alike."""

import math
from contextlib import suppress
from typing import Any

import torch
from transformers import PrinterCallback, TrainerCallback
from transformers.integrations import TensorBoardCallback

from tinyreason.errors import ConfigError, NotFinite
from tinyreason.runs.checkpoint import CheckpointManager
from tinyreason.runs.folder import RunFolder
from tinyreason.trainers.followers import Follower, RunningAverage
from tinyreason.trainers.oom import RowLimits
from tinyreason.trainers.resume import Resumable, Saving
from tinyreason.trainers.session import SPENT, TrainingSession, Watch
from tinyreason.trainers.trl_seam import use_one_card, use_plain_torch

AVERAGE, REPOSITION = "average", "reposition"
"""Names of what may follow the trained numbers."""
OPTIMIZERS = {"adamw": "adamw_torch", "adamw_8bit": "adamw_8bit", "paged_adamw_8bit": "paged_adamw_8bit"}
"""Our name → TRL's (`optim`)."""


class SessionTrainer(Resumable):
    """Laid before a trainer of TRL: takes a session and derives from it what TRL wants."""

    arguments_class: type
    """TRL's config of this trainer."""
    arguments: dict[str, Any] = {}
    """What the trainer itself sets of it."""
    metric_names: dict[str, str]
    """TRL's name of a metric → ours, for what is kept of each step in metrics.jsonl."""

    def __init__(self, session: TrainingSession, watch: Watch, checkpoints: CheckpointManager | None, **trl: Any):
        self.session, self.checkpoints = session, checkpoints
        self.finite = FiniteSteps(session.config.learning_rate, session.context.compute.dtype.got)
        callbacks = [self.finite, StepLog(session.folder, watch, self.metric_names, self.finite)]
        began = [(p, p.data) for p in session.model.parameters() if p.requires_grad]
        super().__init__(
            model=session.model,
            args=trl_arguments(self.arguments_class, session, self.arguments),
            processing_class=session.tokenizer,
            callbacks=callbacks + ([Saving(checkpoints)] if checkpoints else []),
            **trl,
        )
        self.remove_callback(PrinterCallback)
        for callback in self.callback_handler.callbacks:
            if isinstance(callback, TensorBoardCallback) and callback.logging_dir is None:
                callback.logging_dir = str(session.folder.path / "tensorboard")
        for parameter, data in began:  # on a quantised base TRL has rounded it to bfloat16, in which small steps vanish
            parameter.data = data.to(parameter.device, torch.float32)
        self.followers = self.make_followers()
        for follower in self.followers.values():
            self.add_callback(follower)
        self.finite.scaler = self.accelerator.scaler
        self.limits = RowLimits.of(session.config, session.context.compute, session.context.console.say)

    def make_followers(self) -> dict[str, Follower]:
        """Returns what follows the trained numbers from step to step, under its name."""
        rate = self.session.config.average_rate
        return {AVERAGE: RunningAverage(self.session.model, rate)} if rate else {}

    def training_step(self, *inputs: Any, **more: Any) -> torch.Tensor:
        loss = super().training_step(*inputs, **more)
        self.finite.losses.append(loss.detach())
        return loss

    def run(self) -> None:
        """Trains to the last step, from the checkpoint on that the run was resumed from, if there is one."""
        start = self.checkpoints and self.checkpoints.resumed_from
        self.train(resume_from_checkpoint=str(start.path) if start else None)
        with suppress(OSError):
            self.session.folder.checkpoints.rmdir()  # empty: TRL makes it


def trl_arguments(kind: type, session: TrainingSession, own: dict[str, Any]):
    """Returns TRL's config: our options under TRL's names, the trainer's own, the user's `trl:` section over them.

    Errors: `ConfigError` where TRL refuses it.
    """
    config, compute = session.config, session.context.compute
    train, is_cpu = config.train, compute.device == "cpu"
    options = {name: getattr(train, option) for option, name in train.trl_names.items()}
    options |= {
        "learning_rate": config.learning_rate,
        "per_device_train_batch_size": train.micro_rows,
        "gradient_accumulation_steps": train.rows_per_step // train.micro_rows,
        "output_dir": str(session.folder.checkpoints),
        "seed": config.seed,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,  # else a loss that is nan is shown as the mean of those before
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "gradient_checkpointing": not is_cpu,
        "use_cpu": is_cpu,
        "bf16": compute.dtype.got == "bfloat16" and not is_cpu,  # autocast casts every weight anew there
        "fp16": compute.dtype.got == "float16",
        "optim": OPTIMIZERS[compute.optimizer.got] + ("_fused" if compute.fuses_optimizer else ""),
        "dataloader_pin_memory": not is_cpu,
        "remove_unused_columns": False,
    }
    try:
        arguments = kind(**(options | own | config.trl))
    except (TypeError, ValueError) as error:
        reason = str(error).removeprefix(f"{kind.__name__}.__init__() ")
        raise ConfigError(f"TRL refuses this configuration: {reason}.") from None
    use_one_card(arguments)
    if not (is_cpu or compute.has_triton):
        use_plain_torch()
    return arguments


class FiniteSteps(TrainerCallback):
    """Stops training before a step whose loss or gradient is nan or infinite changes the weights.

    In float16 a gradient that overflows is not a breakdown: the scaler skips the step and lowers its scale; such steps
    are counted, until the scale is so low that the gradient itself must be infinite.
    """

    def __init__(self, learning_rate: float, dtype: str):
        self.learning_rate, self.dtype = learning_rate, dtype
        self.scaler = None
        """Of the gradients, in float16."""
        self.losses: list[torch.Tensor] = []
        """Of the step's micro-batches; looked at once a step, so that the device is waited for once."""
        self.is_skipped = False
        self.is_first = True

    def on_pre_optimizer_step(self, args, state, control, model=None, **_: Any) -> None:
        losses, self.losses = self.losses, []
        gradients = [p.grad for p in model.parameters() if p.requires_grad and p.grad is not None]
        has_finite_loss = all_finite(losses)
        self.is_skipped = has_finite_loss and not all_finite(gradients)
        if not has_finite_loss:
            raise self.breakdown(state.global_step + 1, "loss")
        if self.is_skipped and (self.scaler is None or self.scaler.get_scale() < 1):
            raise self.breakdown(state.global_step + 1, "gradient", has_finite_loss=True)
        self.is_first = False

    def breakdown(self, step: int, what: str, has_finite_loss: bool = False) -> NotFinite:
        """Returns the error that says at which step what was not finite, and the likely cause."""
        rate = f"the learning rate of {self.learning_rate:g} is too high: lower train.learning_rate"
        cause = "the model computes nothing finite on this data: look at the rows" if self.is_first else rate
        other = "" if self.dtype == "float32" else ", or type model.dtype=float32"
        error = NotFinite(f"the {what} of step {step} is not finite (nan or infinity); likely {cause}{other}")
        error.has_finite_loss = has_finite_loss
        return error


def all_finite(tensors: list[torch.Tensor]) -> bool:
    """Returns whether every number of these tensors is finite."""
    return not tensors or bool(torch.stack([tensor.isfinite().all() for tensor in tensors]).all())


class StepLog(TrainerCallback):
    """Tells the watcher of each step, and writes its metrics down with what the watcher found."""

    def __init__(self, folder: RunFolder, watch: Watch, names: dict[str, str], finite: FiniteSteps):
        self.folder, self.watch, self.names, self.finite = folder, watch, names, finite

    def on_log(self, args, state, control, logs: dict[str, Any], **_: Any) -> None:
        if "loss" not in logs:  # it is not a step's
            return
        metrics = {ours: logs[theirs] for theirs, ours in self.names.items() if theirs in logs}
        kept = ("reward/", "sampler/", "rollouts/", "advantage/", "logp/", "reposition/", "teacher/", SPENT)
        ours = [key for key in logs if key.startswith(kept)]
        metrics |= {key.removesuffix("/mean"): logs[key] for key in ours}
        metrics = {name: value for name, value in metrics.items() if value is not None}  # a mean of nothing
        if self.finite.scaler is not None:
            metrics["gradient/skipped"] = float(self.finite.is_skipped)
        if self.finite.is_skipped:
            metrics.pop("gradient/norm", None)
        elif not math.isfinite(metrics.get("gradient/norm", 0.0)):
            raise self.finite.breakdown(state.global_step, "gradient's norm", has_finite_loss=True)
        found = self.watch(state.global_step, metrics)
        self.folder.append("metrics.jsonl", [{"step": state.global_step} | metrics | found])
