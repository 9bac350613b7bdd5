"""How long a run takes: bytes over bandwidth or operations over arithmetic, whichever is slower, and the launches.

An estimate, not a measurement: the efficiencies below and those of `gpus.py` are usual ones of PyTorch without a
serving engine. Every completion is taken to be as long as it may be, so a run that learns to stop is faster.
"""

from dataclasses import dataclass
from math import ceil

from tinyreason.config.processes import sampled_rows
from tinyreason.config.until import VALIDATION
from tinyreason.data.sampled import Sampled
from tinyreason.models.hardware import usable_cores
from tinyreason.planning.gpus import Datasheet
from tinyreason.planning.launches import (
    BEFORE_GRAPH,
    REPLAYED_S,
    attention_traffic,
    is_replayed,
    layer_kernels,
    token_kernels,
)
from tinyreason.planning.memory import Job, evaluation_batch, weight_bytes
from tinyreason.planning.sampler import sampler_of

OF_BANDWIDTH = 0.75
"""Share of the card's memory bandwidth that decoding reaches."""
OF_ARITHMETIC_32 = 0.35
"""Share of its float32 arithmetic that a forward or backward pass reaches."""
CPU_BANDWIDTH_GB_S = 10.0
CPU_TFLOPS_A_CORE, CPU_WIDTH = {4: 0.05, 2: 0.1}, 640
CPU_KERNEL_S = 10e-6
"""The same for the busy cores of a cloud machine, as steps of the sandbox and of SmolLM2-135M took there.

The arithmetic is by bytes of a number, of models at least `CPU_WIDTH` wide; narrower ones reach as much less.
"""


@dataclass(frozen=True)
class Speed:
    """What a machine reaches: bytes a second, operations a second, and seconds to launch a kernel from Python."""

    bytes_s: float
    flops: float
    kernel_s: float


@dataclass(frozen=True)
class Decoding:
    """Completions that are sampled at once: so many rows, all as long as allowed."""

    rows: int
    prompt: int
    """Tokens of each prompt."""
    completion: int
    is_masked: bool = True
    """Whether prompts of several lengths stand side by side."""
    has_adapter: bool = True


def speed_of(job: Job, sheet: Datasheet | None) -> Speed | None:
    """Returns the speed of the job's machine, of which each process has its share; None for a card in no table."""
    if job.on_cpu:
        tflops = CPU_TFLOPS_A_CORE[job.width] * min(1, job.shape.hidden / CPU_WIDTH)
        share = 1 / job.config.processes
        return Speed(share * 1e9 * CPU_BANDWIDTH_GB_S, share * 1e12 * tflops * usable_cores(), CPU_KERNEL_S)
    if sheet is None:
        return None
    tflops = OF_ARITHMETIC_32 * sheet.tflops_32 if job.width == 4 else sheet.reached * sheet.tflops_16
    return Speed(1e9 * OF_BANDWIDTH * sheet.bandwidth_gb_s, 1e12 * tflops, 1e-6 * sheet.launch_us)


def step_seconds(job: Job, at: Speed) -> float:
    """Returns the seconds of one optimizer step, its rollouts included."""
    train = job.config.train
    seconds = passes(job, at, backward=True)
    if train.generated_rows:
        seconds += decoding_seconds(job, at, rollouts(job))
    if job.teacher:
        seconds += passes(job.teacher, at, backward=False)
    return seconds + job.config.reference_passes * passes(job, at, backward=False)


def rollouts(job: Job) -> Decoding:
    """Returns how a step's rollouts are sampled."""
    train = job.config.train
    return Decoding(sampled_rows(job.config), job.prompt_tokens, train.max_completion_tokens, job.is_padded)


def earlier_seconds(job: Job, at: Speed) -> float:
    """Returns the seconds of the warm-up and the stages, and of what self-training samples; 0 where there is none.

    A stage that may end early is taken to take all its steps.
    """
    earlier = [*([job.warmup] if job.warmup else []), *job.stages.values()]
    steps = sum(one.config.train.max_steps * step_seconds(one, at) for one in earlier)
    stages, evaluation, validation = job.config.stage_configs, job.config.evaluation, job.config.validation
    measured = sum(stage.measure for stage, _ in stages)
    asked = measured * asking_seconds(job, at, evaluation.problems * evaluation.samples)
    if validation:
        validated = [one.train.max_steps for stage, one in stages if stage.until and stage.until.metric == VALIDATION]
        times = sum(count // validation.every_steps for count in validated)
        asked += times * asking_seconds(job, at, validation.problems)
    return steps + sum(sampling_seconds(one, at) for one in [*earlier, job]) + asked


def sampling_seconds(job: Job, at: Speed) -> float:
    """Returns the seconds in which a training samples its own completions to imitate, 0 where it does not.

    What it asks for beside plain samples counts as such, and as if nothing had been solved before.
    """
    data, rows = job.config.data, job.config.evaluation.batch_size
    if not isinstance(data, Sampled):
        return 0.0
    batch = Decoding(rows, job.prompt_tokens, job.config.train.max_completion_tokens, has_adapter=data.model is None)
    return batches_of(job, data.completions, rows) * decoding_seconds(sampler_of(job), at, batch)


def asking_seconds(job: Job, at: Speed, completions: int) -> float:
    """Returns the seconds of so many completions as the evaluation asks for them."""
    rows, tokens = evaluation_batch(job)
    batch = Decoding(rows, job.asked_tokens, tokens - job.asked_tokens)
    return batches_of(job, completions, rows) * decoding_seconds(job, at, batch)


def batches_of(job: Job, completions: int, rows: int) -> int:
    """Returns in how many batches of so many rows a process samples its share of the completions."""
    return ceil(completions / job.config.processes / rows)


def evaluation_seconds(job: Job, at: Speed) -> float:
    """Returns the seconds of the evaluations, the template check, and the validations that select the checkpoint.

    One of them is of the base alone, without an adapter's kernels, unless a warm-up comes before it.
    """
    config, validation = job.config, job.config.validation
    evaluation = config.evaluation
    rows, tokens = evaluation_batch(job)
    batch = Decoding(rows, job.asked_tokens, tokens - job.asked_tokens)
    bare = Decoding(rows, batch.prompt, batch.completion, has_adapter=False)
    one_evaluation = batches_of(job, evaluation.problems * evaluation.samples, rows)
    bare_batches = 0 if config.warmup else one_evaluation
    batches = config.evaluations * one_evaluation - bare_batches
    batches += batches_of(job, config.other_way_completions, rows)
    if validation:
        times = ceil(config.train.max_steps / validation.every_steps)
        batches += times * batches_of(job, validation.problems, rows)
    return batches * decoding_seconds(job, at, batch) + bare_batches * decoding_seconds(job, at, bare)


def decoding_seconds(job: Job, at: Speed, batch: Decoding) -> float:
    """Returns the seconds of sampling a batch: its prompts at once, then the weights and the cache for each token."""
    shape = job.shape
    read = weight_bytes(job)
    if job.compute.quantize.got != "none":  # a layer is dequantised, written out and read again
        read += 2 * shape.linear_parameters * job.width
    cache = 2 * shape.layers * shape.key * job.width * batch.rows * (batch.prompt + batch.completion / 2)
    moved = (read + attention_traffic(job, batch.is_masked) * cache) / at.bytes_s
    computed = 2 * shape.parameters * batch.rows / at.flops
    kernels = token_kernels(job, batch.is_masked, batch.has_adapter)
    prompts = arithmetic(job, at, batch.rows * batch.prompt, batch.prompt)
    if is_replayed(job):
        step = max(moved, computed, kernels * REPLAYED_S)
        return batch.completion * step + BEFORE_GRAPH * kernels * at.kernel_s + prompts
    return batch.completion * (max(moved, computed) + kernels * at.kernel_s) + prompts


def arithmetic(job: Job, at: Speed, tokens: int, row: int) -> float:
    """Returns the seconds of a forward pass's operations over so many tokens, in rows of a length."""
    attention = 2 * job.shape.layers * job.shape.query * row
    return 2 * (job.shape.parameters + attention) * tokens / at.flops


def passes(job: Job, at: Speed, backward: bool) -> float:
    """Returns the seconds of a forward pass over a step's rows, and of the backward one where it is asked for.

    The base is frozen, so the backward pass computes the gradients of activations alone: as much as the forward pass
    again, and twice that where layers are recomputed. Kernels are launched while others run, micro-batch by
    micro-batch, so the slower of the two counts.
    """
    factor = 1 + (2 if job.recomputes else 1) * backward
    batches = ceil(job.config.train.rows_per_step / job.micro_rows / job.config.processes)
    kernels = batches * job.shape.layers * layer_kernels(job, job.is_padded, has_adapter=True)
    computed = arithmetic(job, at, batches * job.micro_tokens, job.row_tokens)
    return factor * max(computed, kernels * at.kernel_s)
