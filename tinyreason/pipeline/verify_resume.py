"""`--verify-resume`: takes a run's last two steps again from the checkpoint before them, and compares."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from tinyreason.config.run_config import RunConfig
from tinyreason.console import Console
from tinyreason.errors import ResumeError
from tinyreason.evaluation.score import Evaluator
from tinyreason.grading.grader import Grader
from tinyreason.models.kernels import ComputeSettings
from tinyreason.models.load import load_model
from tinyreason.pipeline.problems import read_problems
from tinyreason.pipeline.train import Training, take_steps
from tinyreason.pipeline.warmup import warm_up
from tinyreason.runs.checkpoint import GROWING, Checkpoint, Checkpoints, Lifeline, read_checkpoint
from tinyreason.runs.deadline import Deadline
from tinyreason.runs.folder import RunFolder
from tinyreason.runs.resume import open_or_continue
from tinyreason.trainers.session import TrainingSession

STEPS = 2
WHAT = {
    "trained.safetensors": "adapter",
    "optimizer.pt": "optimizer",
    "scheduler.pt": "learning rate",
    "rng_state.pth": "random states",
}
"""A checkpoint's file → what is in it."""


def verify_resume(config: RunConfig, out: Path, compute: ComputeSettings, console: Console) -> str:
    """What was compared, in a sentence; the run stays as it is. Errors: `ResumeError` where anything differs."""
    if not (out / "checkpoints").is_dir():
        raise ResumeError(f"there is no run with checkpoints in {out}; name its folder with --out.")
    with open_or_continue(out, config, compute, "", fresh=False) as folder, Grader() as grader:
        start, last = choose_pair(Checkpoints(folder, None, None, 0).whole(), out)
        examples, _, checks = read_problems(config, folder, grader, console)
        model, tokenizer = load_model(config.model, compute)
        session = TrainingSession(config, compute, config.adapter.attach(model, config.seed), tokenizer, folder)
        if config.warmup:
            warm_up(session, console)  # taken up where it lies
        with tempfile.TemporaryDirectory() as place, console.live("step", total=last.step, done=start.step) as live:
            replay = RunFolder(Path(place, "run"))
            for name in GROWING:
                if (folder.path / name).exists():
                    head = (folder.path / name).read_bytes()[: start.state["lengths"][name]]
                    (replay.path / name).write_bytes(head)
            shutil.copytree(start.path, replay.checkpoints / start.path.name)
            for kept in folder.checkpoints.glob("kept-*"):
                shutil.copy(kept, replay.checkpoints)
            checkpoints, stop = Checkpoints(replay, None, None, last.step), Deadline(last_step=last.step)
            evaluator = Evaluator(config, tokenizer, grader, console, stop)
            training = Training(replace(session, folder=replay), checks, evaluator, checkpoints, live)
            checkpoints.watch_state = lambda: {"training": training.state()}
            training.restore(start)
            take_steps(training, examples, Lifeline(checkpoints, stop, start))
            again = read_checkpoint(replay.checkpoints / last.path.name, replay.path)
            differing = differences(last, again, folder, replay)
    count = last.step - start.step
    steps = f"{count} steps after step {start.step}" if count > 1 else f"step after step {start.step}"
    if differing:
        raise ResumeError(
            f"the {steps}, taken again, gave another {', '.join(differing)}: this machine does not compute the same "
            f"twice."
        )
    return f"the {steps}, taken again: the same bit for bit, {', '.join(WHAT.values())}, rollouts and metrics"


def choose_pair(checkpoints: list[Checkpoint], out: Path) -> tuple[Checkpoint, Checkpoint]:
    """(the one to go on from, the last one): two steps apart, or what there is."""
    if len(checkpoints) < 2:
        raise ResumeError(f"{out} holds {len(checkpoints)} whole checkpoints, and two are compared; let it run on.")
    *earlier, last = checkpoints
    far_enough = [checkpoint for checkpoint in earlier if last.step - checkpoint.step >= STEPS]
    return (far_enough or earlier)[-1], last


def differences(last: Checkpoint, again: Checkpoint, folder: RunFolder, replay: RunFolder) -> list[str]:
    """What of a checkpoint, and of the lines that lead to it, is not the same."""
    found = [
        WHAT.get(name, name)
        for name in last.state["files"] | again.state["files"]
        if last.state["files"].get(name) != again.state["files"].get(name)
    ]
    found += [name for name in ("trainer", "training") if last.state[name] != again.state[name]]
    for name in GROWING:
        rows = [[untimed(row) for row in side.read_rows(name) if row["step"] <= last.step] for side in (folder, replay)]
        if rows[0] != rows[1]:
            found.append(name)
    return found


def untimed(row: dict) -> dict:
    """A step's metrics without its seconds."""
    return {name: value for name, value in row.items() if not name.startswith("time/")}
