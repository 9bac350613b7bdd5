"""What surrounds a run: where it speaks, how it computes, why its tier was chosen, when it has to end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinyreason.console import Console
from tinyreason.models.kernels import ComputeSettings
from tinyreason.runs.deadline import Deadline

StepCallback = Callable[[int, dict[str, float]], bool | None]
"""(step, what metrics.jsonl holds of it) → True to end the run after the next step, with all saved."""


@dataclass(frozen=True)
class RunContext:
    """All that a run is given beside its config and its folder."""

    console: Console
    compute: ComputeSettings
    tier_reason: str = ""
    """Why this tier, in a few words, for environment.json."""
    deadline: Deadline = field(default_factory=Deadline)
    accept_changes: bool = False
    """Whether a run may be resumed by libraries or code that change its numbers."""
    callbacks: tuple[StepCallback, ...] = ()
    """What is told of every step."""
    server: Any = None
    """The server that samples in this process's place (`inference.engines.vllm_server`)."""
    shared_baseline: Path | None = None
    """A file that the baseline is read from, or written to, by runs that begin alike (`pipeline.sweep`)."""
