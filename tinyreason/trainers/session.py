"""A training session: a model with its adapter, the config it learns by, and what surrounds it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tinyreason.config.run_config import RunConfig
from tinyreason.grading.grader import Grader
from tinyreason.runs.context import RunContext
from tinyreason.runs.folder import RunFolder

Watch = Callable[[int, dict[str, float]], dict[str, float]]
"""(step, metrics) → what was found beside, e.g. the validation accuracy."""
SPENT = "tokens/spent"
"""Metric: the completion tokens that a step sampled, and those that it trained on, together."""


@dataclass(frozen=True)
class TrainingSession:
    """What every trainer is given; it changes the adapter of the `model` in place."""

    config: RunConfig
    context: RunContext
    model: Any
    """The PEFT model."""
    tokenizer: Any
    folder: RunFolder
    grader: Grader
    teacher: Any = None
    """The model whose next-token probabilities a distillation follows, where it is another than `model`."""


def budget_spent(config: RunConfig, metrics: Iterable[dict[str, float]]) -> str | None:
    """Returns why training ends, where the steps of these metrics spent its budget of tokens; else None."""
    budget = config.train.token_budget
    spent = sum(row.get(SPENT, 0) for row in metrics) if budget else 0
    return f"train.token_budget={budget} is spent" if budget and spent >= budget else None
