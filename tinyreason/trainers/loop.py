"""What both trainers ask of TRL and of transformers' Trainer alike."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from transformers import PrinterCallback, TrainerCallback
from transformers.integrations import TensorBoardCallback

from tinyreason.errors import ConfigError
from tinyreason.runs.checkpoint import Lifeline
from tinyreason.runs.folder import RunFolder
from tinyreason.trainers.oom import Memory
from tinyreason.trainers.resume import Saving
from tinyreason.trainers.session import TrainingSession

Watch = Callable[[int, dict[str, float]], dict[str, float]]
"""(step, metrics) → what was found beside, e.g. the validation accuracy"""

OPTIMIZERS = {"adamw": "adamw_torch", "adamw_8bit": "adamw_8bit", "paged_adamw_8bit": "paged_adamw_8bit"}
"""Our name → TRL's (`optim`)."""


def trl_arguments(kind: type, session: TrainingSession, own: dict[str, Any]):
    """TRL's config of this kind: our knobs under TRL's names, the trainer's own, the person's `trl:` as it is."""
    config, compute = session.config, session.compute
    train, is_cpu = config.train, compute.device == "cpu"
    micro_batch = train.micro_batch_size or train.rows_per_step
    options = {name: getattr(train, option) for option, name in train.trl_names.items()}
    options |= {
        "learning_rate": config.learning_rate,
        "per_device_train_batch_size": micro_batch,
        "gradient_accumulation_steps": train.rows_per_step // micro_batch,
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
    """Tells whoever watches of each step, and writes its metrics down with what the watcher found."""

    def __init__(self, folder: RunFolder, watch: Watch, names: dict[str, str], sign: str):
        """`names`: TRL's name → ours, for what is kept; a log without `sign` in it is not a step's."""
        self.folder, self.watch, self.names, self.sign = folder, watch, names, sign

    def on_log(self, args, state, control, logs: dict[str, Any], **_: Any) -> None:
        if self.sign not in logs:
            return
        metrics = {ours: logs[theirs] for theirs, ours in self.names.items() if theirs in logs}
        metrics |= {key.removesuffix("/mean"): logs[key] for key in logs if key.startswith("reward/")}
        found = self.watch(state.global_step, metrics)
        self.folder.append("metrics.jsonl", [{"step": state.global_step} | metrics | found])


def run_trainer(trainer, session: TrainingSession, lifeline: Lifeline | None = None) -> None:
    """Trains the learner's adapter; without a lifeline nothing is saved on the way."""
    folder = session.folder
    trainer.remove_callback(PrinterCallback)
    for parameter in session.model.parameters():
        if parameter.requires_grad:  # of a quantised base TRL has made it bfloat16, in which small steps vanish
            parameter.data = parameter.data.float()
    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, TensorBoardCallback) and callback.logging_dir is None:
            callback.logging_dir = str(folder.path / "tensorboard")
    trainer.memory = Memory.of(session.config, session.compute, lifeline.say if lifeline else lambda text: None)
    start = None
    if lifeline and lifeline.checkpoints:
        trainer.checkpoints = lifeline.checkpoints
        trainer.add_callback(Saving(lifeline.checkpoints, lifeline.stop))
        start = lifeline.start and str(lifeline.start.path)
    trainer.train(resume_from_checkpoint=start)
    with suppress(OSError):
        folder.checkpoints.rmdir()  # empty: TRL makes it
