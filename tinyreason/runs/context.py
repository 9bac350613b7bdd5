"""What surrounds a run: where it speaks, how it computes, why its tier was chosen, when it has to end."""

from dataclasses import dataclass, field

from tinyreason.console import Console
from tinyreason.models.kernels import ComputeSettings
from tinyreason.runs.deadline import Deadline


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
