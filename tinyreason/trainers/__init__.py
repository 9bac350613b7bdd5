"""Trainers: the only home of trl. One file each; its name is what a recipe calls its `trainer`."""

from importlib import import_module
from types import ModuleType

from tinyreason.example import Example
from tinyreason.runs.checkpoint import CheckpointManager
from tinyreason.trainers.session import TrainingSession, Watch


def train(
    session: TrainingSession, examples: list[Example], watch: Watch, checkpoints: CheckpointManager | None = None
) -> None:
    """Trains the session's adapter by the trainer that its config names; every step's metrics go to its folder.

    `watch(step, metrics)` is called after each step and returns what is written beside the metrics. Without
    `checkpoints` nothing is saved on the way.
    """
    import_trainer(session.config.trainer).train(session, examples, watch, checkpoints)


def import_trainer(kind: str) -> ModuleType:
    """Imports the trainer of this kind, and TRL with it, which takes seconds and hundreds of megabytes."""
    return import_module(f"{__name__}.{kind}")
