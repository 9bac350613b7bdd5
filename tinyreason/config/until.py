"""When a stage ends before its last step: on the moving mean of one of its metrics, a function of its lines alone."""

from statistics import fmean
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tinyreason.schema import Schema

if TYPE_CHECKING:
    from tinyreason.config.run_config import RunConfig

VALIDATION = "validation/accuracy"
"""Asked in a stage only where its `until` reads it."""
FALLING = ("loss",)
"""Metrics that are better the lower they are."""
USUAL_OVER = 10


class Until(Schema):
    """What both kinds share: the metric, and over how many of its last values its moving mean is taken."""

    metric: str
    """`reward/mean`, `reward/KIND`, `loss`, `token_accuracy`, or `validation/accuracy` on the run's validation set."""
    over: int | None = Field(None, ge=1)
    """Number of last values whose mean is looked at; null = 10 steps, or the last validation."""

    def check_metric(self, stage: "RunConfig", run: "RunConfig", path: str) -> None:
        """Refuses a metric that the stage does not have. Errors: `ValueError`."""
        rewards = dict.fromkeys(["mean", *(reward.kind for reward in stage.rewards)])
        of_trainer = [f"reward/{name}" for name in rewards] if stage.train.needs_rewards else ["loss", "token_accuracy"]
        if self.metric not in [*of_trainer, VALIDATION]:
            raise ValueError(
                f"{path}.metric={self.metric} is not among what this stage has: {', '.join([*of_trainer, VALIDATION])}"
            )
        if self.metric == VALIDATION and run.validation is None:
            raise ValueError(f"{path}.metric={VALIDATION} needs a validation set; type validation.problems=64")

    def met(self, values: list[float]) -> str | None:
        """Returns in words why a stage ends whose metric had these values so far; None where it does not."""
        over = self.over or (1 if self.metric == VALIDATION else USUAL_OVER)
        sign = -1.0 if self.metric in FALLING else 1.0
        means = [sign * fmean(values[end - over : end]) for end in range(over, len(values) + 1)]
        return self.why(means, sign) if means else None

    def why(self, means: list[float], sign: float) -> str | None:
        """Returns why moving means, each times `sign` so that more is better, end the stage; None where they do not."""
        raise NotImplementedError


class Plateau(Until):
    """Ends a stage whose metric has stopped getting better.

    Formula: m_t the mean of the last `over` values; ends when the first t of the highest m lies `patience` values back.

    Example: `until: {kind: plateau, metric: validation/accuracy, patience: 3}`.
    """

    kind: Literal["plateau"] = "plateau"
    patience: int = Field(ge=1)
    """Number of values (steps, or validations) without a better mean."""

    def why(self, means: list[float], sign: float) -> str | None:
        best = max(means)
        if len(means) - 1 - means.index(best) < self.patience:
            return None
        return f"{self.metric} no better than {sign * best:.3g} for {self.patience} values"


class Reaches(Until):
    """Ends a stage whose metric is good enough, as a harder one is next (SATURN's levels).

    Formula: ends when the mean of the last `over` values is `value` or better.

    Example: `until: {kind: reaches, metric: reward/correctness, value: 0.75}`.
    """

    kind: Literal["reaches"] = "reaches"
    value: float
    """What is good enough."""

    def why(self, means: list[float], sign: float) -> str | None:
        reached = means[-1] >= sign * self.value
        return f"{self.metric} reached {sign * means[-1]:.3g}" if reached else None


UNTIL = {"plateau": Plateau, "reaches": Reaches}
