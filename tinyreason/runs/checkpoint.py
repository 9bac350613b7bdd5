"""Checkpoints: all that a run needs to be resumed as if nothing had happened, written whole or not at all.

`checkpoints/step-000012/` holds the trainer's files and `state.json`, which is written last and names every file with
its size and SHA-256, the lengths that metrics.jsonl and rollouts.jsonl had, the seconds spent, and the run's own
state. `checkpoints/kept-000010.safetensors` is the adapter that validation chose, and `start.json` the baseline.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinyreason.atomic import sync
from tinyreason.errors import FolderError
from tinyreason.runs.deadline import Deadline
from tinyreason.runs.file_systems import uploading_file_system
from tinyreason.runs.folder import RunFolder

STATE = "state.json"
TRAINED = "trained.safetensors"
GROWING = ("metrics.jsonl", "rollouts.jsonl")
MOST_OF_THE_TIME = 0.05
"""Writing checkpoints takes at most this share of the time of training, unless the recipe says how often."""
UPLOADED_STEPS = 10
"""So many steps at least lie between two checkpoints that are uploaded, unless the recipe says how often."""


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint: its folder and its state.json."""

    path: Path
    state: dict[str, Any]

    @property
    def step(self) -> int:
        return self.state["step"]


@dataclass
class CheckpointManager:
    """Knows when a run's checkpoints are due, writes them, and holds the one that the run was resumed from."""

    folder: RunFolder
    last_step: int
    """Last step of the whole training; after it there always is a checkpoint."""
    every_steps: int | None = None
    """Steps from one to the next; None = as often as 5 % of the time allow, on a cloud drive 10 at least."""
    keep: int | None = None
    """How many are kept; None = all."""
    deadline: Deadline = field(default_factory=Deadline)
    resumed_from: Checkpoint | None = None
    run_state: Callable[[], dict[str, Any]] = dict
    """Returns what the run itself wants to have saved, as JSON."""
    ended: str | None = None
    """Why the training ends with the step whose metrics were last told; None = it does not."""
    began: float = field(default_factory=time.monotonic)
    saved_step: int = 0
    """Step of the last one."""
    spent_s: float = 0.0
    slowest_s: float = 0.0

    def __post_init__(self) -> None:
        """Counts from the checkpoint that the run was resumed from, and finds out where they are written."""
        self.saved_step = self.resumed_from.step if self.resumed_from else 0
        self.uploaded_to = None if self.every_steps else uploading_file_system(self.folder.path)

    def explain(self) -> str | None:
        """Returns why they are further apart than elsewhere; None where they are not."""
        if self.uploaded_to is None:
            return None
        return (
            f"checkpoints every {UPLOADED_STEPS} steps at the most often, as {self.folder.path} is on "
            f"{self.uploaded_to}; checkpoints.every_steps= sets it"
        )

    def is_due(self, step: int) -> bool:
        """Returns whether one is to be written after this step."""
        if step == self.last_step:
            return True
        if self.every_steps:
            return step % self.every_steps == 0
        if self.uploaded_to and step - self.saved_step < UPLOADED_STEPS:
            return False
        return self.spent_s + self.slowest_s <= MOST_OF_THE_TIME * (time.monotonic() - self.began)

    def save(self, step: int, write: Callable[[Path], dict[str, Any]]) -> None:
        """Saves one; `write(folder)` writes the trainer's files and returns its JSON state. Errors: `DiskError`."""
        start, place = time.monotonic(), self.folder.checkpoints
        beside, final = place / f".step-{step:06}.part", place / f"step-{step:06}"
        with self.folder.writing(f"the checkpoint of step {step}"):
            try:
                shutil.rmtree(beside, ignore_errors=True)
                beside.mkdir(parents=True)
                state = {"step": step, "trainer": write(beside)} | self.run_state()
                state["lengths"] = {name: _synced_size(self.folder.path / name) for name in GROWING}
                state["files"] = {file.name: _fingerprint(file) for file in sorted(beside.iterdir())}
                (beside / STATE).write_text(json.dumps(state), encoding="utf-8")
                for file in beside.iterdir():
                    sync(file)
                shutil.rmtree(final, ignore_errors=True)
                beside.rename(final)
                sync(place)
            except BaseException:
                shutil.rmtree(beside, ignore_errors=True)
                raise
            self.prune()
        seconds = time.monotonic() - start
        self.saved_step = step
        self.spent_s, self.slowest_s = self.spent_s + seconds, max(self.slowest_s, seconds)

    def prune(self) -> None:
        """Removes all but the last `keep`, and kept adapters that none of those names."""
        if self.keep is None:
            return
        paths = sorted(self.folder.checkpoints.glob("step-*"))
        for path in paths[: -self.keep]:
            shutil.rmtree(path)
        kept = sorted(self.folder.checkpoints.glob("kept-*.safetensors"))
        if len(kept) > 1:
            states = [json.loads((path / STATE).read_text(encoding="utf-8")) for path in paths[-self.keep :]]
            named = {kept_file(self.folder, state.get("training", {}).get("kept_step", 0)) for state in states}
            for file in kept:
                if file not in named and file != kept[-1]:
                    file.unlink()


def complete_checkpoints(folder: RunFolder) -> list[Checkpoint]:
    """Returns the checkpoints that can be relied on, the oldest first; torn ones are passed over."""
    found = (read_checkpoint(path, folder.path) for path in sorted(folder.checkpoints.glob("step-*")))
    return [checkpoint for checkpoint in found if checkpoint]


def roll_back(folder: RunFolder) -> Checkpoint | None:
    """Returns the last complete checkpoint with the run's files as they were then; None, and empty files, without."""
    last = next(reversed(complete_checkpoints(folder)), None)
    with folder.writing("what the last checkpoint knows nothing of"):
        for path in folder.checkpoints.glob(".*.part"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in folder.checkpoints.glob("step-*"):
            if last is None or path.name > last.path.name:
                shutil.rmtree(path)
        for name in GROWING:
            if (folder.path / name).exists():
                os.truncate(folder.path / name, last.state["lengths"][name] if last else 0)
    return last


def kept_file(folder: RunFolder, step: int) -> Path:
    """Returns where the adapter of the step that validation chose lies."""
    return folder.checkpoints / f"kept-{step:06}.safetensors"


def write_kept(folder: RunFolder, model, step: int) -> None:
    """Saves the adapter of this step as the best so far. Errors: `DiskError`."""
    beside = folder.checkpoints / ".kept.part"
    with folder.writing("the adapter to keep"):
        folder.checkpoints.mkdir(exist_ok=True)
        save_trained(model, beside)
        sync(beside)
        beside.replace(kept_file(folder, step))


def read_checkpoint(path: Path, run: Path) -> Checkpoint | None:
    """Returns the checkpoint in a folder, or None where a file is missing, truncated or another."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        state = json.loads((path / STATE).read_text(encoding="utf-8"))
        is_whole = all(_fingerprint(path / name) == there for name, there in state["files"].items())
        is_longer = all(
            size <= ((run / name).stat().st_size if (run / name).exists() else 0)
            for name, size in state["lengths"].items()
        )
        if is_whole and is_longer and set(GROWING) <= state["lengths"].keys():
            return Checkpoint(path, state)
    return None


def save_trained(model, file: Path) -> None:
    """Writes what is trained of a model, as it is, by name."""
    from safetensors.torch import save_file

    tensors = {name: p.detach().contiguous() for name, p in model.named_parameters() if p.requires_grad}
    save_file(tensors, file)


def load_trained(model, file: Path) -> None:
    """Restores what `save_trained` wrote. Errors: `FolderError` where it is of another model."""
    from safetensors.torch import load_file

    tensors = load_file(file, device=str(model.device))
    ours = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if {name: p.shape for name, p in ours.items()} != {name: tensor.shape for name, tensor in tensors.items()}:
        raise FolderError(f"{file} holds other tensors than this adapter trains; start over with --fresh.")
    for name, parameter in ours.items():
        parameter.data.copy_(tensors[name])


def _synced_size(file: Path) -> int:
    if not file.exists():
        return 0
    sync(file)
    return file.stat().st_size


def _fingerprint(file: Path) -> list:
    """Returns [size, SHA-256]."""
    with open(file, "rb") as opened:
        return [file.stat().st_size, hashlib.file_digest(opened, "sha256").hexdigest()]
