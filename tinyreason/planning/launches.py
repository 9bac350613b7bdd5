"""How many kernels a token or a pass launches. A small model's card waits for the CPU that launches them, one by one.

Counted as transformers, PEFT and PyTorch compute a layer; a test compares the count with torch's own on a CPU.
"""

from tinyreason.inference.engines import FUSED_MODELS
from tinyreason.planning.memory import FLOAT, Job

NORM, NORM_CASTS = 6, 2
"""Kernels of an RMSNorm, and its casts to float32 and back where the base computes in 16 bits."""
ROTARY = 10
CACHE, ATTENTION, RESIDUALS, MLP = 2, 1, 2, 2
"""Kernels beside the linear layers: two copies that grow the cache, the attention, two sums, the gate of the MLP."""
MASK = 3
"""Kernels that turn a mask into numbers."""
EAGER = 6
"""More kernels of attention as plain matrices."""
MATH, MATH_CASTS = 6, 5
"""More kernels of PyTorch's math kernel, and its casts to float32 where the base computes in 16 bits."""
ADAPTER, ADAPTER_CASTS = 4, 2
"""Kernels of an adapter on one linear layer: A, B, the scale and the sum; its casts where the base has 16 bits."""
QUANTISED = {"none": 0, "nf4": 5, "int8": 8}
"""More kernels of a linear layer that bitsandbytes holds: a usual figure, not counted."""
A_TOKEN, A_TOKEN_CASTS = 50, 6
"""Kernels of a token beside the layers: embedding, positions, last norm, LM head, the choice of a token."""
REPLAYED_S = 2.0e-6
"""Seconds of a kernel that a graph replays, fitted to rollouts of SmolLM2 and of 1.5 B in NF4 that an H100 took."""
BEFORE_GRAPH = 3
"""Times that a step's kernels are launched one by one: for the prompts, and to try and to record the graph."""


def is_replayed(job: Job) -> bool:
    """Returns whether a card replays the steps of decoding as graphs."""
    takes = job.config.inference.engine in ("auto", "fused") and job.shape.model_type in FUSED_MODELS
    return takes and not job.on_cpu


def takes_math_kernel(job: Job, is_masked: bool) -> bool:
    """Returns whether PyTorch's attention has only its math kernel: `enable_gqa` without a mask before Ampere."""
    compute, shape = job.compute, job.shape
    is_before = compute.card is not None and compute.card.capability < (8, 0)
    shares_keys = shape.heads != shape.kv_heads
    chooses_gqa = compute.attention.got == "sdpa" and not compute.avoids_enable_gqa and not is_masked
    return is_before and shares_keys and chooses_gqa


def attention_kernels(job: Job, is_masked: bool) -> int:
    """Returns the kernels of a layer's attention, its linear layers apart."""
    if job.compute.attention.got == "eager":
        return ATTENTION + EAGER
    if takes_math_kernel(job, is_masked):
        return ATTENTION + MATH + (MATH_CASTS if job.width != FLOAT else 0)
    return ATTENTION + (MASK if is_masked else 0)


def layer_kernels(job: Job, is_masked: bool, has_adapter: bool) -> int:
    """Returns the kernels of one layer's forward pass; Liger fuses norms, rotary embedding and MLP into one each."""
    casts = job.width != FLOAT
    is_fused = job.compute.fused.got == "liger"
    norms = (4 if job.shape.norms_heads else 2) * (1 if is_fused else NORM + NORM_CASTS * casts)
    linear = len(job.shape.layer()) * (1 + QUANTISED[job.compute.quantize.got])
    rest = (2 if is_fused else ROTARY + MLP) + CACHE + RESIDUALS + attention_kernels(job, is_masked)
    adapters = len(job.adapted) / job.shape.layers * (ADAPTER + ADAPTER_CASTS * casts) if has_adapter else 0
    return round(norms + linear + rest + adapters)


def token_kernels(job: Job, is_masked: bool, has_adapter: bool) -> int:
    """Returns the kernels of one decoding step."""
    beside = A_TOKEN + A_TOKEN_CASTS * (job.width != FLOAT)
    return job.shape.layers * layer_kernels(job, is_masked, has_adapter) + beside


def attention_traffic(job: Job, is_masked: bool) -> float:
    """Returns how often a decoding step reads or writes the bytes of the KV cache.

    The cache is copied as it grows, and read by a kernel that shares keys. Where they are repeated for every query
    head instead, the copies are written and read; the math kernel makes them in float32, and scales the keys.
    """
    repeats = job.shape.heads / job.shape.kv_heads
    if job.compute.attention.got == "eager":
        return 3 + (2 * repeats if repeats > 1 else 0)
    if takes_math_kernel(job, is_masked):
        return 7 + 6 * repeats if job.width != FLOAT else 3 + 3 * repeats
    return 3
