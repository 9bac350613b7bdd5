"""What samples the completions that a training imitates: the model that is trained, or another beside it. No torch."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from tinyreason.data.sampled import Sampled
from tinyreason.inference.local_sampling import base_and_adapter
from tinyreason.planning.model_shape import read_shape

if TYPE_CHECKING:
    from tinyreason.planning.memory import Job


def sampler_of(job: "Job") -> "Job":
    """Returns the job with the model that samples for it: itself, or the other that its data name, as it is."""
    name = job.config.data.model
    return with_model(job, name) if name else job


def with_model(job: "Job", name: str) -> "Job":
    """Returns the job with the model of this name, as it is."""
    model = base_and_adapter(name)[0]
    compute = replace(job.compute, quantize=replace(job.compute.quantize, got="none"))
    return replace(job, config=job.config.model_copy(update={"model": model}), shape=read_shape(model), compute=compute)


def samplers_of(job: "Job") -> "Iterator[tuple[Job, int, int]]":
    """Yields (what samples, rows at once, tokens of the longest with its prompt) wherever another model does."""
    for one in (*job.stages.values(), job):
        for name in one.config.data.other_models.values() if isinstance(one.config.data, Sampled) else ():
            tokens = one.prompt_tokens + one.config.train.max_completion_tokens
            yield with_model(one, name), one.config.evaluation.batch_size, tokens
