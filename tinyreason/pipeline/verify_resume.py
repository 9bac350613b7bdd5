"""`--verify-resume`: takes a run's last two steps again from the checkpoint before them, and compares."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from tinyreason import trainers
from tinyreason.config.run_config import RunConfig
from tinyreason.errors import ResumeError
from tinyreason.evaluation.score import Evaluator
from tinyreason.grading.grader import Grader
from tinyreason.inference.teacher_model import load_teacher
from tinyreason.models.load import load_model
from tinyreason.pipeline.problems import read_problems
from tinyreason.pipeline.stages import trained_on
from tinyreason.pipeline.train import Training
from tinyreason.pipeline.warmup import warm_up
from tinyreason.runs.changes import as_begun
from tinyreason.runs.checkpoint import GROWING, Checkpoint, CheckpointManager, complete_checkpoints, read_checkpoint
from tinyreason.runs.context import RunContext
from tinyreason.runs.deadline import Deadline
from tinyreason.runs.folder import RunFolder
from tinyreason.runs.resume import open_or_resume
from tinyreason.trainers.session import TrainingSession

STEPS_AGAIN = 2
PARTS = {
    "trained.safetensors": "adapter",
    "optimizer.pt": "optimizer",
    "scheduler.pt": "learning rate",
    "rng_state.pth": "random states",
}
"""A checkpoint's file → what is in it."""


def verify_resume(config: RunConfig, out: Path, context: RunContext) -> str:
    """Returns in a sentence what was compared; the run stays as it is. Errors: `ResumeError` where anything differs."""
    if not (out / "checkpoints").is_dir():
        raise ResumeError(f"there is no run with checkpoints in {out}; name its folder with --out.")
    with open_or_resume(out, config, context) as folder, Grader() as grader:
        context = as_begun(folder, config, context)
        start, last = choose_pair(complete_checkpoints(folder), out)
        problems = read_problems(config, folder, grader, context.console)
        model, tokenizer = load_model(config.model, context.compute)
        teacher = load_teacher(config, tokenizer)
        model = config.adapter.attach(model, config.seed, tokenizer)
        session = TrainingSession(config, context, model, tokenizer, folder, grader, teacher)
        if config.warmup:
            warm_up(session)  # restored from where it lies, as the stages are
        evaluator = Evaluator(config, context, tokenizer, grader)
        session, rows = trained_on(session, problems, evaluator)
        with tempfile.TemporaryDirectory() as place:
            replay = RunFolder(Path(place, "run"))
            copy_up_to(start, folder, replay)
            context = replace(context, deadline=Deadline(last_step=last.step))
            session = replace(session, context=context, folder=replay)
            with context.console.live("step", total=last.step, done=start.step) as live:
                evaluator = Evaluator(config, context, tokenizer, grader)
                training = Training(session, problems.validation, evaluator, live)
                training.restore(start)
                checkpoints = training.checkpoints = CheckpointManager(
                    replay,
                    last.step,
                    deadline=context.deadline,
                    resumed_from=start,
                    run_state=lambda: {"training": training.state()},
                )
                trainers.train(session, rows, training, checkpoints)
            again = read_checkpoint(replay.checkpoints / last.path.name, replay.path)
            differing = differing_parts(last, again, folder, replay)
    count = last.step - start.step
    steps = f"{count} steps after step {start.step}" if count > 1 else f"step after step {start.step}"
    if differing:
        raise ResumeError(
            f"the {steps}, taken again, gave another {', '.join(differing)}: this machine does not compute the same "
            f"twice."
        )
    return f"the {steps}, taken again: the same bit for bit, {', '.join(PARTS.values())}, rollouts and metrics"


def copy_up_to(start: Checkpoint, folder: RunFolder, replay: RunFolder) -> None:
    """Fills the folder `replay` with what the run held at a checkpoint."""
    for name in GROWING:
        if (folder.path / name).exists():
            head = (folder.path / name).read_bytes()[: start.state["lengths"][name]]
            (replay.path / name).write_bytes(head)
    shutil.copytree(start.path, replay.checkpoints / start.path.name)
    for kept in folder.checkpoints.glob("kept-*"):
        shutil.copy(kept, replay.checkpoints)


def choose_pair(checkpoints: list[Checkpoint], out: Path) -> tuple[Checkpoint, Checkpoint]:
    """Returns (the one to resume from, the last one), two steps apart, or what there is. Errors: `ResumeError`."""
    if len(checkpoints) < 2:
        raise ResumeError(f"{out} holds {len(checkpoints)} complete checkpoints, and two are compared; let it run on.")
    *earlier, last = checkpoints
    far_enough = [checkpoint for checkpoint in earlier if last.step - checkpoint.step >= STEPS_AGAIN]
    return (far_enough or earlier)[-1], last


def differing_parts(last: Checkpoint, again: Checkpoint, folder: RunFolder, replay: RunFolder) -> list[str]:
    """Returns what of a checkpoint, and of the lines that lead to it, is not the same."""
    found = [
        PARTS.get(name, name)
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
    """Returns a step's metrics without its seconds."""
    return {name: value for name, value in row.items() if not name.startswith("time/")}
