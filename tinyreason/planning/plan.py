"""What a run will take, before its first step: memory, time, tokens, disk; and the nearest change that fits.

Pure functions of the config, the model's shape and the card. No torch, no weights, no data.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from math import floor
from typing import Any

from tinyreason.config.run_config import RunConfig
from tinyreason.errors import TinyReasonError
from tinyreason.models.hardware import Card
from tinyreason.models.kernels import choose_compute_settings, installed_packages
from tinyreason.planning.gpus import Datasheet
from tinyreason.planning.memory import Job, Phase, phases
from tinyreason.planning.model_shape import Shape, read_shape
from tinyreason.planning.step_time import evaluation_seconds, speed_of, step_seconds, warmup_seconds
from tinyreason.prompts import USUAL_PROMPT_TOKENS

GB = 2**30
SESSION_HOURS = 12
CPU_ALLOCATOR = 1.7
"""Times the peak that a CPU's allocator may keep, as it holds blocks that torch has freed; measured on the sandbox."""
GPU_ALLOCATOR = 1.1
"""Times the peak that torch's caching allocator may keep, as it leaves holes: a usual figure, not measured here."""
LEAST_HALVED = 256
"""Tokens of a limit below which no shorter one is suggested."""
LEAST_GROUP = 8
"""Rollouts of a step below which its one group is not made smaller."""
TEXT_BYTES = 5
"""Bytes of a token in rollouts.jsonl."""


@dataclass(frozen=True)
class Plan:
    """What a run takes. Bytes and seconds; `seconds_a_step` is None on a card whose datasheet is not known."""

    job: Job
    phases: list[Phase]
    memory: float
    seconds_a_step: float | None
    seconds: float | None

    @property
    def jobs(self) -> list[Job]:
        """The training, and the warm-up where there is one."""
        return [self.job] + ([self.job.warmup] if self.job.warmup else [])

    @property
    def peak(self) -> Phase:
        """The phase that takes most memory."""
        return max(self.phases, key=lambda phase: phase.total)

    @property
    def peak_kept(self) -> float:
        """Bytes at the peak, with what the allocator keeps."""
        return self.peak.total * (CPU_ALLOCATOR if self.job.on_cpu else GPU_ALLOCATOR)

    @property
    def fits(self) -> bool:
        return self.peak_kept <= self.memory

    @property
    def training_peak(self) -> Phase:
        """The phase of the steps themselves that takes most memory."""
        return max((p for p in self.phases if p.name not in ("load", "evaluate", "save")), key=lambda p: p.total)

    @property
    def session_steps(self) -> int | None:
        """Steps that a 12-hour session holds beside the evaluations and a warm-up; None where time is not known."""
        if self.seconds is None:
            return None
        steps = self.job.config.train.max_steps
        beside = self.seconds - steps * self.seconds_a_step
        return max(0, min(steps, floor((3600 * SESSION_HOURS - beside) / self.seconds_a_step)))

    @property
    def tokens(self) -> dict[str, int]:
        """Most tokens trained on, and generated in training and in the evaluations."""
        train, evaluation = self.job.config.train, self.job.config.evaluation
        sampled = train.max_steps * train.generated_rows * train.max_completion_tokens
        asked = evaluation.problems * evaluation.samples * evaluation.max_completion_tokens
        asked *= self.job.config.evaluations
        trained = (job.config.train.max_steps * job.config.train.rows_per_step * job.row_tokens for job in self.jobs)
        return {
            "trained on": sum(trained),
            "generated": sampled + asked,
        }

    @property
    def disk(self) -> dict[str, float]:
        """Bytes of the model's download in 16 bits, and of what the run writes."""
        adapter = 4 * (self.job.trained_parameters + self.job.config.adapter.frozen_parameters(self.job.adapted))
        return {
            "model": 0 if self.job.config.model.is_built_in else 2 * self.job.shape.parameters,
            "run": TEXT_BYTES * self.tokens["generated"] + adapter,
        }

    def as_json(self) -> dict[str, Any]:
        """Returns what `plan --json` prints, less its suggestion."""
        config, job = self.job.config, self.job
        return {
            "recipe": config.recipe,
            "tier": config.tier,
            "model": config.model.name,
            "device": job.compute.card.describe() if job.compute.card else "CPU",
            "parameters": job.shape.parameters,
            "trained_parameters": job.trained_parameters,
            "prompt_tokens": job.prompt_tokens,
            "row_tokens": job.row_tokens,
            "phases": [asdict(phase) | {"total": phase.total} for phase in self.phases],
            "peak": {"phase": self.peak.name, "bytes": self.peak.total},
            "memory_bytes": self.memory,
            "fits": self.fits,
            "seconds_a_step": self.seconds_a_step,
            "seconds": self.seconds,
            "session_steps": self.session_steps,
            "tokens": self.tokens,
            "disk_bytes": self.disk,
        }


@dataclass(frozen=True)
class Machine:
    """Where the run would be: a card with its datasheet, if there is one, or a CPU; and its memory in bytes."""

    card: Card | None
    sheet: Datasheet | None
    memory: float


def make_plan(
    config: RunConfig, machine: Machine, prompt_tokens: int | None = None, shape: Shape | None = None
) -> Plan:
    """Plans a resolved run. Errors: `ModelError` for a model of which nothing is known, `ConfigError` as in a run."""
    shape = shape or read_shape(config.model)
    packages = {"bitsandbytes": "assumed"} | installed_packages()
    compute = choose_compute_settings(config.model, config.kernels, machine.card, packages, shape.model_type)
    tokens = prompt_tokens or config.data.max_prompt_tokens or USUAL_PROMPT_TOKENS  # the data is not read
    job = Job(config, shape, compute, tokens)
    at = speed_of(job, machine.sheet)
    step = at and step_seconds(job, at)
    total = at and config.train.max_steps * step + evaluation_seconds(job, at) + warmup_seconds(job, at)
    return Plan(job, phases(job), machine.memory, step, total)


def nearest_fit(plan: Plan, replan: Callable[[tuple[str, ...]], Plan]) -> tuple[str, ...] | None:
    """Returns `key=value` overrides with which the run fits, none of them idle; None where nothing helps.

    The phase at the peak says which option goes down: first those that change nothing but the time, then the base's
    precision, then fewer and shorter completions. Each suggestion is planned again before it is made.
    """
    changes: dict[str, str] = {}
    while not plan.fits:
        tried = (changes | change for change in smaller_overrides(plan))
        changes = next((more for more in tried if plan_with(replan, more)), {})
        if not changes:
            return None
        plan = plan_with(replan, changes)
    for option in list(changes):
        without = {key: value for key, value in changes.items() if key != option}
        if (fewer := plan_with(replan, without)) and fewer.fits:
            changes = without
    return as_typed(changes)


def as_typed(changes: dict[str, str]) -> tuple[str, ...]:
    """Writes overrides as a person types them: {"train.kl": "0"} → ("train.kl=0",)."""
    return tuple(f"{option}={value}" for option, value in changes.items())


def plan_with(replan: Callable[[tuple[str, ...]], Plan], changes: dict[str, str]) -> Plan | None:
    """Returns the plan with these changes; None where the run would not be valid."""
    try:
        return replan(as_typed(changes))
    except TinyReasonError:
        return None


def smaller_overrides(plan: Plan) -> Iterator[dict[str, str]]:
    """Yields what can still be made smaller for the phase at the peak, the gentlest first."""
    phase = plan.peak.name
    job, section = (plan.job.warmup, "warmup.train") if phase == "warm-up" else (plan.job, "train")
    config, train = job.config, job.config.train
    if phase in ("warm-up", "score", "backward") and job.micro_rows > 1:
        yield {f"{section}.micro_batch_size": str(largest_divisor_below(job.micro_rows, train.rows_per_step))}
    if phase == "backward" and not job.recomputes:
        yield {"trl.gradient_checkpointing": "true"}
    if phase == "evaluate" and config.evaluation.batch_size > 1:
        yield {"evaluation.batch_size": str(config.evaluation.batch_size // 2)}
    if (
        config.model.quantize == "none"
        and "nf4" in config.adapter.quantized_bases
        and job.compute.dtype.got != "float32"
    ):
        yield {"model.quantize": "nf4"}
    if phase == "generate" and train.rollouts_per_step > min(train.group_size, LEAST_GROUP):
        yield fewer_rollouts(train, job.micro_rows)
    if phase in ("warm-up", "score", "backward", "generate") and train.token_limit >= LEAST_HALVED:
        yield {f"{section}.{train.tokens_option}": str(train.token_limit // 2)}
    if phase == "evaluate" and config.evaluation.max_completion_tokens >= LEAST_HALVED:
        yield {"evaluation.max_completion_tokens": str(config.evaluation.max_completion_tokens // 2)}


def fewer_rollouts(train, micro_rows: int) -> dict[str, str]:
    """Halves the groups of a step, rounded up, or its one group, with a micro-batch that still divides them."""
    groups = train.rollouts_per_step // train.group_size
    rows = (groups + 1) // 2 * train.group_size if groups > 1 else (train.group_size + 1) // 2
    fewer = {"train.rollouts_per_step": str(rows)} | ({} if groups > 1 else {"train.group_size": str(rows)})
    if rows % micro_rows:
        fewer["train.micro_batch_size"] = str(largest_divisor_below(micro_rows, rows))
    return fewer


def largest_divisor_below(micro: int, rows: int) -> int:
    """Returns the largest divisor of `rows` that is at most half of `micro`, and never less than 1."""
    return next(size for size in range(max(1, micro // 2), 0, -1) if rows % size == 0)
