"""What a trainer has to save beyond what transformers' own checkpoints hold, to go on exactly.

transformers restores optimizer, scheduler, gradient scaler, every random state and the place in the data. It knows
nothing of TRL's counters, of rollouts that were drawn and not yet trained on (`num_iterations` > 1), of our Store, nor
of the order of the data after the first epoch, which TRL draws from a generator that is in no checkpoint.
"""

from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback
from trl.trainer.utils import RepeatSampler

from tinyreason.runs.checkpoint import TRAINED, Checkpoints, load_trained, read_checkpoint, save_trained
from tinyreason.runs.deadline import Deadline

COUNTERS = ("_step", "_total_train_tokens", "entropy_coef", "_last_world_entropy")
"""TRL's own, where its trainer has them."""
UNREAD = "rollouts.pt"


class Resumable:
    """Laid before a trainer of TRL: its checkpoints are ours."""

    checkpoints: Checkpoints | None = None

    def own_state(self) -> dict[str, Any]:
        """What the trainer wants back, as JSON."""
        counters = {name: getattr(self, name) for name in COUNTERS if hasattr(self, name)}
        return counters | {"memory": self.memory.state()}

    def restore(self, state: dict[str, Any]) -> None:
        for name in COUNTERS:
            if name in state:
                setattr(self, name, state[name])
        self.memory.restore(state["memory"])

    def _save_checkpoint(self, model, trial) -> None:
        self.checkpoints.save(self.state.global_step, self._write_state)

    def _write_state(self, folder: Path) -> dict[str, Any]:
        save_trained(self.model, folder / TRAINED)
        self._save_optimizer_and_scheduler(str(folder))
        self._save_scaler(str(folder))
        self._save_rng_state(str(folder))
        self.state.log_history = []  # metrics.jsonl has it
        self.state.save_to_json(str(folder / "trainer_state.json"))
        if self._has_unread_rollouts():
            torch.save(self._buffered_inputs, folder / UNREAD)
        return self.own_state()

    def _has_unread_rollouts(self) -> bool:
        if getattr(self, "_buffered_inputs", None) is None:
            return False
        return self._step % (self.args.steps_per_generation * self.num_iterations) != 0

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model=None) -> None:
        folder = Path(resume_from_checkpoint)
        load_trained(self.model, folder / TRAINED)
        self.restore(read_checkpoint(folder, self.checkpoints.folder.path).state["trainer"])
        if (folder / UNREAD).exists():
            self._buffered_inputs = torch.load(folder / UNREAD, map_location=self.args.device, weights_only=True)


class EpochSampler(RepeatSampler):
    """TRL's sampler with an order that follows from seed and epoch alone."""

    def set_epoch(self, epoch: int) -> None:
        """Called by accelerate at the start of each epoch."""
        if self.shuffle:
            self.generator.manual_seed(self.seed + epoch)


class Saving(TrainerCallback):
    """Says after each step whether a checkpoint is due, and whether the run has to end."""

    def __init__(self, checkpoints: Checkpoints, stop: Deadline):
        self.checkpoints, self.stop = checkpoints, stop

    def on_step_end(self, args, state, control, **_: Any) -> None:
        is_asked = self.stop.is_asked(state.global_step)
        control.should_save = is_asked or self.checkpoints.is_due(state.global_step)
        control.should_training_stop |= is_asked
