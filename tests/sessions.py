"""Runs and training sessions as tests want them: on a CPU, with a console that can be read."""

import io
from contextlib import contextmanager

from rich.console import Console as RichConsole

from tinyreason.console import Console
from tinyreason.grading.grader import Grader
from tinyreason.models.load import compute_settings_for, load_model
from tinyreason.runs.context import RunContext
from tinyreason.runs.deadline import Deadline
from tinyreason.runs.folder import RunFolder
from tinyreason.trainers.session import TrainingSession


def context_of(config, deadline: Deadline | None = None, card=None, reason: str = "") -> RunContext:
    """What surrounds a run of this config; `said(context)` is what it wrote."""
    console = Console(RichConsole(file=io.StringIO(), width=400))
    compute = compute_settings_for(config.model, config.kernels, card)
    return RunContext(console, compute, reason, deadline or Deadline())


def said(context: RunContext) -> str:
    return context.console.rich.file.getvalue()


@contextmanager
def session_of(config, folder, seed: int = 0, model=None, tokenizer=None):
    """An open session with a fresh adapter on a freshly loaded model, or on the one that is given."""
    context = context_of(config)
    if model is None:
        model, tokenizer = load_model(config.model, context.compute)
        model = config.adapter.attach(model, seed, tokenizer)
    with RunFolder(folder) as run, Grader() as grader:
        yield TrainingSession(config, context, model, tokenizer, run, grader)
