"""How long a run takes, by a roofline: bytes over bandwidth or operations over arithmetic, whichever is slower.

An estimate, not a measurement: the efficiencies below are usual ones of PyTorch without a serving engine. Every reply
is taken to be as long as it may be, so a run that learns to stop is faster.
"""

import os
from dataclasses import dataclass
from math import ceil

from tinyreason.planning.gpus import Datasheet
from tinyreason.planning.memory import Job, evaluation_batch, weights

OF_BANDWIDTH = 0.6
"""Share of the card's memory bandwidth that decoding reaches."""
OF_ARITHMETIC = 0.35
"""Share of its dense 16-bit arithmetic that a forward or backward pass reaches."""
LAYER_S = 1.5e-3
"""Seconds that Python and kernel launches take for one layer at one decoding step, adapter included."""
CPU_BANDWIDTH_GB_S = 10.0
CPU_TFLOPS_A_CORE = 0.01
CPU_LAYER_S = 0.7e-3
"""The same three for the busy cores of a cloud machine, as two steps of the sandbox and of a 0.5 B model took there."""


@dataclass(frozen=True)
class Speed:
    """Bytes a second, operations a second, and the seconds a layer costs at a decoding step, as reached."""

    bytes_s: float
    flops: float
    layer_s: float


def speed(job: Job, sheet: Datasheet | None) -> Speed | None:
    """Of the job's machine; None for a card that is in no table."""
    if job.on_cpu:
        return Speed(1e9 * CPU_BANDWIDTH_GB_S, 1e12 * CPU_TFLOPS_A_CORE * (os.cpu_count() or 1), CPU_LAYER_S)
    if sheet is None:
        return None
    tflops = sheet.tflops_32 if job.width == 4 else sheet.tflops_16
    return Speed(1e9 * OF_BANDWIDTH * sheet.bandwidth_gb_s, 1e12 * OF_ARITHMETIC * tflops, LAYER_S)


def step_seconds(job: Job, at: Speed) -> float:
    """One optimizer step, its rollouts included."""
    train = job.config.train
    seconds = passes(job, at, train.rows_per_step, job.row_tokens, backward=True)
    if train.generated_rows:
        seconds += decoding(job, at, train.generated_rows, train.max_completion_tokens)
    if train.has_kl_penalty:
        seconds += passes(job, at, train.rows_per_step, job.row_tokens, backward=False)
    return seconds


def warmup_seconds(job: Job, at: Speed) -> float:
    """The fine-tuning that goes before, if there is one."""
    first = job.warmup
    return first.config.train.max_steps * step_seconds(first, at) if first else 0.0


def evaluation_seconds(job: Job, at: Speed) -> float:
    """Both evaluations, and the validations that choose the checkpoint."""
    settings, steps = job.config.evaluation, job.config.train.max_steps
    batch, tokens = evaluation_batch(job)
    one_batch = decoding(job, at, batch, tokens - job.prompt_tokens)
    batches = 2 * ceil(settings.problems * settings.samples / batch)
    if job.config.validation:
        asked = ceil(steps / job.config.validation.every_steps)
        batches += asked * ceil(job.config.validation.problems / batch)
    return batches * one_batch


def decoding(job: Job, at: Speed, rows: int, completion: int) -> float:
    """`rows` replies of `completion` tokens: each step reads the weights and the cache once."""
    shape = job.shape
    read = weights(job)
    if job.compute.quantize.got != "none":  # a layer is dequantised, written out and read again
        read += 2 * shape.linear_parameters * job.width
    cache = 2 * shape.layers * shape.key * job.width * rows * (job.prompt_tokens + completion / 2)
    moved = (read + cache) / at.bytes_s
    computed = 2 * shape.parameters * rows / at.flops
    return completion * (max(moved, computed) + shape.layers * at.layer_s)


def passes(job: Job, at: Speed, rows: int, tokens: int, backward: bool) -> float:
    """A forward pass over all rows, and the backward one: as much again, and half more where layers are recomputed.

    The base is frozen, so the backward pass computes the gradients of activations alone.
    """
    shape = job.shape
    attention = 2 * shape.layers * shape.query * tokens
    factor = 1 + (2 if job.recomputes else 1 if backward else 0) * backward
    return factor * 2 * (shape.parameters + attention) * rows * tokens / at.flops
