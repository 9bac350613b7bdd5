"""How long a run takes, by a roofline: bytes over bandwidth or operations over arithmetic, whichever is slower.

An estimate, not a measurement: the efficiencies below are usual ones of PyTorch without a serving engine. Every
completion is taken to be as long as it may be, so a run that learns to stop is faster.
"""

import os
from dataclasses import dataclass
from math import ceil

from tinyreason.planning.gpus import Datasheet
from tinyreason.planning.memory import Job, evaluation_batch, weight_bytes

OF_BANDWIDTH = 0.6
"""Share of the card's memory bandwidth that decoding reaches."""
OF_ARITHMETIC = 0.35
"""Share of its dense 16-bit arithmetic that a forward or backward pass reaches."""
LAYER_S = 1.5e-3
"""Seconds that Python and kernel launches take for one layer at one decoding step, adapter included."""
CPU_BANDWIDTH_GB_S = 10.0
CPU_TFLOPS_A_CORE = 0.01
CPU_LAYER_S = 0.7e-3
"""The same for the busy cores of a cloud machine, as two steps of the sandbox and of a 0.5 B model took there."""


@dataclass(frozen=True)
class Speed:
    """What a machine reaches: bytes a second, operations a second, and seconds of a layer at one decoding step."""

    bytes_s: float
    flops: float
    layer_s: float


def speed_of(job: Job, sheet: Datasheet | None) -> Speed | None:
    """Returns the speed of the job's machine; None for a card that is in no table."""
    if job.on_cpu:
        return Speed(1e9 * CPU_BANDWIDTH_GB_S, 1e12 * CPU_TFLOPS_A_CORE * (os.cpu_count() or 1), CPU_LAYER_S)
    if sheet is None:
        return None
    tflops = sheet.tflops_32 if job.width == 4 else sheet.tflops_16
    return Speed(1e9 * OF_BANDWIDTH * sheet.bandwidth_gb_s, 1e12 * OF_ARITHMETIC * tflops, LAYER_S)


def step_seconds(job: Job, at: Speed) -> float:
    """Returns the seconds of one optimizer step, its rollouts included."""
    train = job.config.train
    seconds = passes(job, at, train.rows_per_step, job.row_tokens, backward=True)
    if train.generated_rows:
        seconds += decoding(job, at, train.generated_rows, train.max_completion_tokens)
    if train.has_kl_penalty:
        seconds += passes(job, at, train.rows_per_step, job.row_tokens, backward=False)
    return seconds


def warmup_seconds(job: Job, at: Speed) -> float:
    """Returns the seconds of the warm-up, 0 where there is none."""
    first = job.warmup
    return first.config.train.max_steps * step_seconds(first, at) if first else 0.0


def evaluation_seconds(job: Job, at: Speed) -> float:
    """Returns the seconds of the evaluations, the template check, and the validations that select the checkpoint."""
    evaluation, validation = job.config.evaluation, job.config.validation
    batch, tokens = evaluation_batch(job)
    one_batch = decoding(job, at, batch, tokens - job.prompt_tokens)
    batches = job.config.evaluations * ceil(evaluation.problems * evaluation.samples / batch)
    batches += ceil(evaluation.other_way_completions / batch)
    if validation:
        batches += ceil(job.config.train.max_steps / validation.every_steps) * ceil(validation.problems / batch)
    return batches * one_batch


def decoding(job: Job, at: Speed, rows: int, completion: int) -> float:
    """Returns the seconds of `rows` completions of so many tokens: each step reads the weights and the cache once."""
    shape = job.shape
    read = weight_bytes(job)
    if job.compute.quantize.got != "none":  # a layer is dequantised, written out and read again
        read += 2 * shape.linear_parameters * job.width
    cache = 2 * shape.layers * shape.key * job.width * rows * (job.prompt_tokens + completion / 2)
    moved = (read + cache) / at.bytes_s
    computed = 2 * shape.parameters * rows / at.flops
    return completion * (max(moved, computed) + shape.layers * at.layer_s)


def passes(job: Job, at: Speed, rows: int, tokens: int, backward: bool) -> float:
    """Returns the seconds of a forward pass over all rows, and of the backward one where it is asked for.

    The base is frozen, so the backward pass computes the gradients of activations alone: as much as the forward pass
    again, and twice that where layers are recomputed.
    """
    shape = job.shape
    attention = 2 * shape.layers * shape.query * tokens
    factor = 1 + (2 if job.recomputes else 1 if backward else 0) * backward
    return factor * 2 * (shape.parameters + attention) * rows * tokens / at.flops
