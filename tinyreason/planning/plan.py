"""What a run will take before its first step: memory, time, tokens, disk; and the nearest change that fits.

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
from tinyreason.planning.memory import SANDBOX_PROMPT_TOKENS, USUAL_PROMPT_TOKENS, Job, Phase, phases
from tinyreason.planning.model_shape import Shape, read_shape
from tinyreason.planning.step_time import evaluation_seconds, speed, step_seconds, warmup_seconds

GB = 2**30
SESSION_HOURS = 12
CPU_ALLOCATOR = 1.7
"""A CPU's allocator keeps blocks that torch has freed: up to so many times the peak, measured on the sandbox."""
GPU_ALLOCATOR = 1.1
"""Torch's caching allocator leaves holes: a usual figure, not measured here."""
TEXT_BYTES = 5
"""Of a token in rollouts.jsonl."""


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
        return max(self.phases, key=lambda phase: phase.total)

    @property
    def fits(self) -> bool:
        return self.peak.total * (CPU_ALLOCATOR if self.job.on_cpu else GPU_ALLOCATOR) <= self.memory

    @property
    def training_peak(self) -> Phase:
        """The worst phase of the steps themselves."""
        return max((p for p in self.phases if p.name not in ("load", "evaluate", "save")), key=lambda p: p.total)

    @property
    def session_steps(self) -> int | None:
        """How many of the steps a 12-hour session holds, both evaluations and a warm-up included."""
        if self.seconds is None:
            return None
        steps = self.job.config.train.max_steps
        beside = self.seconds - steps * self.seconds_a_step
        return max(0, min(steps, floor((3600 * SESSION_HOURS - beside) / self.seconds_a_step)))

    @property
    def tokens(self) -> dict[str, int]:
        """At most: trained on, and generated in training and in both evaluations."""
        train, evaluation = self.job.config.train, self.job.config.evaluation
        sampled = train.max_steps * train.generated_rows * train.max_completion_tokens
        asked = 2 * evaluation.problems * evaluation.samples * evaluation.max_completion_tokens
        trained = (job.config.train.max_steps * job.config.train.rows_per_step * job.row_tokens for job in self.jobs)
        return {
            "trained on": sum(trained),
            "generated": sampled + asked,
        }

    @property
    def disk(self) -> dict[str, float]:
        """The model's download in 16 bits, and what the run writes."""
        adapter = 4 * (self.job.trained + self.job.config.adapter.frozen_parameters(self.job.adapted))
        return {
            "model": 0 if self.job.config.model.is_built_in else 2 * self.job.shape.parameters,
            "run": TEXT_BYTES * self.tokens["generated"] + adapter,
        }

    def as_json(self) -> dict[str, Any]:
        """For --json."""
        config, job = self.job.config, self.job
        return {
            "recipe": config.recipe,
            "tier": config.tier,
            "model": config.model.name,
            "device": job.compute.card.describe() if job.compute.card else "CPU",
            "parameters": job.shape.parameters,
            "trained_parameters": job.trained,
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
    """Where the run would go: a card with its datasheet, if there is one, or a CPU; and its memory in bytes."""

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
    job = Job(config, shape, compute, prompt_tokens or usual_prompt_tokens(config))
    at = speed(job, machine.sheet)
    step = at and step_seconds(job, at)
    total = at and config.train.max_steps * step + evaluation_seconds(job, at) + warmup_seconds(job, at)
    return Plan(job, phases(job), machine.memory, step, total)


def usual_prompt_tokens(config: RunConfig) -> int:
    """The longest prompt where it is known, in the sandbox; elsewhere 256, as the data is not read."""
    return SANDBOX_PROMPT_TOKENS.get(config.data.family, USUAL_PROMPT_TOKENS)


def nearest_fit(plan: Plan, replan: Callable[[tuple[str, ...]], Plan]) -> tuple[str, ...] | None:
    """`key=value` words with which the run fits, none of them idle; None where nothing helps.

    The phase at the peak says which knob goes down: first those that change nothing but the time, then the base's
    precision, then fewer and shorter replies. Each suggestion is planned again before it is made.
    """
    changes: dict[str, str] = {}
    while not plan.fits:
        tried = (changes | change for change in smaller(plan))
        changes = next((more for more in tried if planned(replan, more)), {})
        if not changes:
            return None
        plan = planned(replan, changes)
    for option in list(changes):
        without = {key: value for key, value in changes.items() if key != option}
        if (fewer := planned(replan, without)) and fewer.fits:
            changes = without
    return words(changes)


def words(changes: dict[str, str]) -> tuple[str, ...]:
    """{"train.kl": "0"} → ("train.kl=0",)"""
    return tuple(f"{option}={value}" for option, value in changes.items())


def planned(replan: Callable[[tuple[str, ...]], Plan], changes: dict[str, str]) -> Plan | None:
    """The plan with these changes; None where the run would not be valid."""
    try:
        return replan(words(changes))
    except TinyReasonError:
        return None


def smaller(plan: Plan) -> Iterator[dict[str, str]]:
    """What can still be made smaller for the phase at the peak, the gentlest first."""
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
    if phase == "generate" and train.rollouts_per_step > train.group_size:
        yield fewer_rollouts(train, job.micro_rows)
    if phase in ("warm-up", "score", "backward", "generate"):
        tokens = getattr(train, train.tokens_option)
        if tokens >= 256:
            yield {f"{section}.{train.tokens_option}": str(tokens // 2)}
    if phase == "evaluate":
        tokens = config.evaluation.max_completion_tokens
        if tokens >= 256:
            yield {"evaluation.max_completion_tokens": str(tokens // 2)}


def fewer_rollouts(train, micro_rows: int) -> dict[str, str]:
    """Half the groups of a step, rounded up, and a micro-batch that still divides them."""
    rows = (train.rollouts_per_step // train.group_size + 1) // 2 * train.group_size
    fewer = {"train.rollouts_per_step": str(rows)}
    if rows % micro_rows:
        fewer["train.micro_batch_size"] = str(largest_divisor_below(micro_rows, rows))
    return fewer


def largest_divisor_below(micro: int, rows: int) -> int:
    """The largest divisor of `rows` at most half of `micro`; never less than 1."""
    return next(size for size in range(max(1, micro // 2), 0, -1) if rows % size == 0)
