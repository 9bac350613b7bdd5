"""What every trainer asks of TRL and of transformers' Trainer alike."""

from contextlib import suppress
from typing import Any

from transformers import PrinterCallback, TrainerCallback
from transformers.integrations import TensorBoardCallback

from tinyreason.errors import ConfigError
from tinyreason.runs.checkpoint import CheckpointManager
from tinyreason.runs.folder import RunFolder
from tinyreason.trainers.oom import RowLimits
from tinyreason.trainers.resume import Resumable, Saving
from tinyreason.trainers.session import TrainingSession, Watch

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
    step_sign: str
    """A log without this metric is not a step's."""

    def __init__(self, session: TrainingSession, watch: Watch, checkpoints: CheckpointManager | None, **trl: Any):
        self.session, self.checkpoints = session, checkpoints
        callbacks = [StepLog(session.folder, watch, self.metric_names, self.step_sign)]
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
        for parameter in session.model.parameters():
            if parameter.requires_grad:  # of a quantised base TRL has made it bfloat16, in which small steps vanish
                parameter.data = parameter.data.float()
        self.limits = RowLimits.of(session.config, session.context.compute, session.context.console.say)

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
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "gradient_checkpointing": not is_cpu,
        "use_cpu": is_cpu,
        "bf16": compute.dtype.got == "bfloat16",
        "fp16": compute.dtype.got == "float16",
        "optim": OPTIMIZERS[compute.optimizer.got],
        "dataloader_pin_memory": not is_cpu,
        "remove_unused_columns": False,
    }
    try:
        return kind(**(options | own | config.trl))
    except (TypeError, ValueError) as error:
        reason = str(error).removeprefix(f"{kind.__name__}.__init__() ")
        raise ConfigError(f"TRL refuses this configuration: {reason}.") from None


class StepLog(TrainerCallback):
    """Tells the watcher of each step, and writes its metrics down with what the watcher found."""

    def __init__(self, folder: RunFolder, watch: Watch, names: dict[str, str], sign: str):
        self.folder, self.watch, self.names, self.sign = folder, watch, names, sign

    def on_log(self, args, state, control, logs: dict[str, Any], **_: Any) -> None:
        if self.sign not in logs:
            return
        metrics = {ours: logs[theirs] for theirs, ours in self.names.items() if theirs in logs}
        metrics |= {key.removesuffix("/mean"): logs[key] for key in logs if key.startswith("reward/")}
        found = self.watch(state.global_step, metrics)
        self.folder.append("metrics.jsonl", [{"step": state.global_step} | metrics | found])
