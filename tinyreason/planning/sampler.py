"""What samples the completions that a training imitates: the model that is trained, or another beside it. No torch."""

from dataclasses import replace
from typing import TYPE_CHECKING

from tinyreason.inference.local_sampling import base_and_adapter
from tinyreason.planning.model_shape import read_shape

if TYPE_CHECKING:
    from tinyreason.planning.memory import Job


def sampler_of(job: "Job") -> "Job":
    """Returns the job with the model that samples for it: itself, or the other that its data name, as it is."""
    name = job.config.data.model
    if name is None:
        return job
    model = base_and_adapter(name)[0]
    compute = replace(job.compute, quantize=replace(job.compute.quantize, got="none"))
    return replace(job, config=job.config.model_copy(update={"model": model}), shape=read_shape(model), compute=compute)


def samplers_of(job: "Job") -> "list[tuple[Job, Job]]":
    """Returns (what samples, for which training) wherever another model does."""
    trainings = [one for one in (*job.stages.values(), job) if one.config.data.is_sampled]
    return [(sampler_of(one), one) for one in trainings if one.config.data.model]
