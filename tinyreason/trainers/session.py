"""What learns: a model with its adapter, how it computes, and the folder that tells of it."""

from dataclasses import dataclass
from typing import Any

from tinyreason.config.run_config import RunConfig
from tinyreason.models.kernels import ComputeSettings
from tinyreason.runs.folder import RunFolder


@dataclass(frozen=True)
class TrainingSession:
    """A trainer changes the adapter of its `model` in place."""

    config: RunConfig
    compute: ComputeSettings
    model: Any
    """the PEFT model"""
    tokenizer: Any
    folder: RunFolder
