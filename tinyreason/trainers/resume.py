"""What a trainer has to save beyond what transformers' own checkpoints hold, to be resumed exactly.

transformers restores optimizer, scheduler, gradient scaler, every random state and the place in the data. It knows
nothing of TRL's counters, of rollouts that were sampled and not yet trained on (`num_iterations` > 1), of our Store,
nor of the order of the data after the first epoch, which TRL takes from a generator that is in no checkpoint.
"""

from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from tinyreason.runs.checkpoint import TRAINED, CheckpointManager, load_trained, read_checkpoint, save_trained
from tinyreason.trainers.followers import Follower
from tinyreason.trainers.trl_seam import CheckpointSeam

UNREAD, FOLLOWERS = "rollouts.pt", "followers.pt"


class Resumable(CheckpointSeam):
    """Laid before a trainer of TRL: its checkpoints are those of the run."""

    checkpoints: CheckpointManager | None
    followers: dict[str, Follower]
    """What follows the trained numbers, under its name."""

    def own_state(self) -> dict[str, Any]:
        """Returns what the trainer needs back, as JSON."""
        return self.counters() | {"memory": self.limits.state()}

    def restore_own_state(self, state: dict[str, Any]) -> None:
        """Sets what `own_state` returned."""
        self.restore_counters(state)
        self.limits.restore(state["memory"])

    def save_checkpoint(self) -> None:
        self.checkpoints.save(self.state.global_step, self.write_state)

    def write_state(self, folder: Path) -> dict[str, Any]:
        """Writes the trainer's files into a checkpoint's folder and returns the rest of its state."""
        save_trained(self.model, folder / TRAINED)
        self.write_library_state(folder)
        unread = self.unread_rollouts()
        if unread is not None:
            torch.save(unread, folder / UNREAD)
        if self.followers:
            torch.save({name: follower.state() for name, follower in self.followers.items()}, folder / FOLLOWERS)
        return self.own_state()

    def load_checkpoint(self, folder: Path) -> None:
        load_trained(self.model, folder / TRAINED)
        self.restore_own_state(read_checkpoint(folder, self.checkpoints.folder.path).state["trainer"])
        if (folder / UNREAD).exists():
            self.restore_rollouts(torch.load(folder / UNREAD, map_location=self.args.device, weights_only=True))
        if self.followers:
            states = torch.load(folder / FOLLOWERS, map_location=self.args.device, weights_only=True)
            for name, follower in self.followers.items():
                follower.restore(states[name])


class Saving(TrainerCallback):
    """Says after each step whether a checkpoint is due, and whether the run has to end."""

    def __init__(self, checkpoints: CheckpointManager):
        self.checkpoints = checkpoints

    def on_step_end(self, args, state, control, **_: Any) -> None:
        ends = self.checkpoints.deadline.has_come(state.global_step)
        control.should_save = ends or self.checkpoints.is_due(state.global_step)
        control.should_training_stop |= ends

    def on_log(self, args, state, control, **_: Any) -> None:
        if self.checkpoints.ended:
            control.should_save = control.should_training_stop = True
