"""What a run will take, before its first step: memory, time, tokens, disk.

Pure functions of the config, the model's shape and the card. No torch, no weights, no data.
"""

from dataclasses import asdict, dataclass
from math import floor
from typing import Any

from tinyreason.config.inference import SERVER
from tinyreason.config.run_config import Kernels, RunConfig
from tinyreason.data.sampled import Sampled
from tinyreason.inference.teacher_model import naming_the_teacher, teacher_reference
from tinyreason.models.hardware import Card, find_cpu
from tinyreason.models.kernels import ComputeSettings, choose_compute_settings, installed_packages
from tinyreason.planning.gpus import Datasheet
from tinyreason.planning.memory import FLOAT, Job, Phase, optimizer_bytes, phases
from tinyreason.planning.model_shape import Shape, read_shape
from tinyreason.planning.step_time import earlier_seconds, evaluation_seconds, speed_of, step_seconds
from tinyreason.prompts import USUAL_PROMPT_TOKENS

GB = 2**30
SESSION_HOURS = 12
SAMPLED = ("evaluate", "generate")
"""Phases in which completions are sampled; a server's are not on this machine."""
CPU_ALLOCATOR = 1.7
"""Times the peak that a CPU's allocator may keep, as it holds blocks that torch has freed; measured on the sandbox."""
GPU_ALLOCATOR = 1.1
"""Times the peak that torch's caching allocator may keep, as it leaves holes: a usual figure, not measured here."""
TEXT_BYTES = 5
"""Bytes of a token in rollouts.jsonl and evaluation.json."""
PAGE_BYTES = 3_500_000
"""Most bytes of report.html."""
STATE_BYTES = 45_000
"""Bytes of a checkpoint beside what is trained and its optimizer: random states, counters, the names of its files."""


@dataclass(frozen=True)
class Plan:
    """What a run takes. Bytes and seconds; `seconds_a_step` is None on a card whose datasheet is not known."""

    job: Job
    phases: list[Phase]
    memory: float
    seconds_a_step: float | None
    seconds: float | None
    is_calibrated: bool = False
    """Whether the times are fitted to steps of such a card."""

    @property
    def jobs(self) -> list[Job]:
        """The training, the warm-up where there is one, and the stages."""
        return [self.job, *([self.job.warmup] if self.job.warmup else []), *self.job.stages.values()]

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
        """The phase of the warm-up's and the run's own steps that takes most memory."""
        beside = ("load", "evaluate", "save", *self.job.stages)
        return max((phase for phase in self.phases if phase.name not in beside), key=lambda phase: phase.total)

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
        """Most tokens trained on, and generated in training, its stages among it, and in the evaluations."""
        config, evaluation = self.job.config, self.job.config.evaluation
        sampled = sum(sampled_completions(job) * job.config.train.max_completion_tokens for job in self.jobs)
        measured = config.evaluations + sum(stage.measure for stage, _ in config.stage_configs)
        completions = measured * evaluation.problems * evaluation.samples
        asked = (completions + config.other_way_completions) * evaluation.max_completion_tokens
        trained = (job.config.train.max_steps * job.config.train.rows_per_step * job.row_tokens for job in self.jobs)
        return {
            "trained on": sum(trained),
            "generated": sampled + asked,
        }

    @property
    def disk(self) -> dict[str, float]:
        """Bytes of the model's download in 16 bits, and of the most that the run holds, with its checkpoints."""
        job, evaluation = self.job, self.job.config.evaluation
        baseline = evaluation.problems * evaluation.samples * evaluation.max_completion_tokens  # in checkpoints/ too
        text = TEXT_BYTES * (self.tokens["generated"] + baseline)
        adapter = FLOAT * (job.trained_parameters + job.config.adapter.frozen_parameters(job.adapted))
        selected = FLOAT * job.trained_parameters * self.checkpoints if job.config.validation else 0
        checkpoints = self.checkpoints * self.checkpoint_bytes + selected
        teacher = 0 if job.config.model.is_built_in or job.teacher_shape is None else job.teacher_shape.parameters
        return {
            "model": 0 if job.config.model.is_built_in else 2 * (job.shape.parameters + teacher),
            "run": text + min(text, PAGE_BYTES) + 2 * adapter + checkpoints,
            "checkpoints": checkpoints,
        }

    @property
    def checkpoints(self) -> int:
        """Checkpoints that are there at once at the most: those that are kept, and the one that is being written."""
        settings, steps = self.job.config.checkpoints, self.job.config.train.max_steps
        written = -(-steps // (settings.every_steps or 1))
        return min(written, settings.keep + 1 if settings.keep else written)

    @property
    def checkpoint_bytes(self) -> float:
        """Bytes of one: what is trained in float32, with its copies, and the optimizer's states of it."""
        held = FLOAT * (1 + self.job.config.trained_copies) + optimizer_bytes(self.job)
        return self.job.trained_parameters * held + STATE_BYTES

    def as_json(self) -> dict[str, Any]:
        """Returns what `plan --json` prints, less its suggestion."""
        config, job = self.job.config, self.job
        return {
            "recipe": config.recipe,
            "tier": config.tier,
            "model": config.model.name,
            "device": job.compute.card.describe() if job.compute.card else "CPU",
            "parameters": job.shape.parameters,
            "teacher": config.teacher_model and config.teacher_model.name,
            "teacher_parameters": job.teacher_shape and job.teacher_shape.parameters,
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
            "paid_requests": paid_requests(config),
        }


def sampled_completions(job: Job) -> int:
    """Returns how many completions a training samples: its rollouts, or those that it imitates."""
    data, train = job.config.data, job.config.train
    return train.max_steps * train.generated_rows + (data.completions if isinstance(data, Sampled) else 0)


def paid_requests(config: RunConfig) -> dict[str, Any] | None:
    """Returns which teacher is paid for critiques, and for how many of each problem; None where none is."""
    if config.critiques is None:
        return None
    build = config.critique_build_config()
    if not build.teacher.may_cost_money:
        return None
    problems = 1 if config.data.is_one_prompt else getattr(config.data, "size", None)
    return {"teacher": build.teacher.title, "a_problem": build.attempts * build.samples, "problems": problems}


def teacher_of(
    config: RunConfig, card: Card | None, packages: dict[str, str]
) -> tuple[Shape | None, ComputeSettings | None]:
    """Returns the shape of the teacher's model and how it computes; None for both where the student has no other."""
    found = config.teacher_model and teacher_reference(config.teacher_model, config.model)
    if found is None:
        return None, None
    with naming_the_teacher():
        shape = read_shape(found.model)
        return shape, choose_compute_settings(found.model, Kernels(), card, packages, shape.model_type, find_cpu())


@dataclass(frozen=True)
class Machine:
    """Where the run would be: a card with its datasheet, if there is one, or a CPU; and its memory in bytes."""

    card: Card | None
    sheet: Datasheet | None
    memory: float


def make_plan(
    config: RunConfig,
    machine: Machine,
    prompt_tokens: int | None = None,
    shape: Shape | None = None,
    evaluation_prompt_tokens: int | None = None,
) -> Plan:
    """Plans a resolved run. Errors: `ModelError` for a model of which nothing is known, `ConfigError` as in a run."""
    shape = shape or read_shape(config.model)
    packages = {"bitsandbytes": "assumed"} | installed_packages()
    compute = choose_compute_settings(
        config.model, config.kernels, machine.card, packages, shape.model_type, find_cpu()
    )
    tokens = prompt_tokens or config.data.max_prompt_tokens or USUAL_PROMPT_TOKENS  # the data is not read
    job = Job(config, shape, compute, tokens, evaluation_prompt_tokens, *teacher_of(config, machine.card, packages))
    is_served = config.inference.engine == SERVER
    found = [phase for phase in phases(job) if not (is_served and phase.name in SAMPLED)]
    at = None if is_served else speed_of(job, machine.sheet)
    step = at and step_seconds(job, at)
    total = at and config.train.max_steps * step + evaluation_seconds(job, at) + earlier_seconds(job, at)
    is_calibrated = machine.sheet is not None and machine.sheet.is_calibrated
    return Plan(job, found, machine.memory, step, total, is_calibrated)
