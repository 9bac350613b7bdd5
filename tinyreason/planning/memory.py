"""How much memory a run takes, phase by phase and part by part, computed from shapes alone. No torch.

What autograd keeps of a layer is counted tensor by tensor as transformers, PEFT and TRL compute it (a test compares
the count with torch's own); on a GPU the layers are recomputed in the backward pass, so one layer's worth is kept.
"""

from dataclasses import dataclass, replace
from functools import cached_property

from tinyreason.config.processes import sampled_rows
from tinyreason.config.run_config import RunConfig
from tinyreason.models.kernels import ComputeSettings
from tinyreason.planning.head_tiles import FLOAT, divergence_tiles, logit_tiles
from tinyreason.planning.model_shape import Shape
from tinyreason.planning.sampler import samplers_of
from tinyreason.prompts import USUAL_PROMPT_TOKENS

NF4_BYTES = (4 + 8 / 64 + 32 / (64 * 256)) / 8
"""Bytes of a weight in NF4 with double quantisation: 4 bits, an 8-bit scale per 64, a float per 256 of those."""
CPU_LIBRARIES = 36 * 2**20
"""Bytes that Python and torch take on a CPU as they begin to work, measured on the sandbox."""
CUDA_ITSELF = 600 * 2**20
"""Bytes of CUDA's context and workspaces: a usual figure, not measured here."""


@dataclass(frozen=True)
class Phase:
    """One part of a run and what fills the memory at its worst moment, in bytes."""

    name: str
    parts: dict[str, float]

    @property
    def total(self) -> float:
        return sum(self.parts.values())

    @property
    def in_torch(self) -> float:
        """The bytes that torch's own count of a GPU's memory includes."""
        return self.total - self.parts.get("CUDA itself", 0)


@dataclass(frozen=True)
class Job:
    """A resolved run on a machine, as numbers."""

    config: RunConfig
    shape: Shape
    compute: ComputeSettings
    prompt_tokens: int
    """Tokens of the longest prompt that is trained on."""
    evaluation_prompt_tokens: int | None = None
    """The same in the evaluation; None = as in training."""
    teacher_shape: Shape | None = None
    """Of the model that teaches a distillation; None where there is none, or it is the student itself."""
    teacher_compute: ComputeSettings | None = None

    @property
    def on_cpu(self) -> bool:
        return self.compute.device == "cpu"

    @cached_property
    def width(self) -> int:
        """Bytes of a number that the base computes in."""
        return FLOAT if self.compute.dtype.got == "float32" else 2

    @cached_property
    def adapted(self) -> dict[str, tuple[int, int]]:
        """Name → (out, in) of every layer that gets an adapter. Errors: `ConfigError` where there is none."""
        return self.config.adapter.layers_of_shape(self.shape.linear_layers(), self.shape.embedding)

    @property
    def recomputes(self) -> bool:
        """Whether the backward pass recomputes layers: on a GPU, unless trl.gradient_checkpointing says otherwise."""
        return bool(self.config.trl.get("gradient_checkpointing", not self.on_cpu))

    @property
    def micro_rows(self) -> int:
        """Rows of one backward pass."""
        return self.config.micro_rows

    @property
    def row_tokens(self) -> int:
        """Tokens of the longest row that is trained on."""
        return self.config.train.row_tokens(self.prompt_tokens)

    @property
    def shares_prompts(self) -> bool:
        """Whether a prompt is computed once for the rows that begin with it (`trainers.shared_prefixes`)."""
        has_dropout = getattr(self.config.adapter, "dropout", 0)
        takes_masks = self.compute.attention.got == "sdpa" and not has_dropout
        samples = self.config.train.generated_rows and self.config.train.shares_prompts
        return bool(samples) and takes_masks and self.config.inference.engine != "trl"

    @property
    def micro_tokens(self) -> int:
        """Tokens of one backward pass at the most."""
        if not self.shares_prompts:
            return self.micro_rows * self.row_tokens
        prompts = self.config.train.prompts_of(self.micro_rows)
        return prompts * self.prompt_tokens + self.micro_rows * (self.row_tokens - self.prompt_tokens)

    @property
    def asked_tokens(self) -> int:
        """Tokens of the longest prompt of the evaluation."""
        return self.evaluation_prompt_tokens or self.prompt_tokens

    @property
    def trained_parameters(self) -> int:
        return self.config.adapter.trained_parameters(self.adapted)

    @property
    def warmup(self) -> "Job | None":
        """The fine-tuning that goes before, where there is one still to be done."""
        asked = self.config.warmup
        return replace(self, config=self.config.warmup_config) if asked and not asked.adapter else None

    @property
    def stages(self) -> "dict[str, Job]":
        """The trainings between a warm-up and the run's own, under the names of their phases."""
        configs = enumerate(self.config.stage_configs, 1)
        return {f"stage {number}": replace(self, config=config) for number, (_, config) in configs}

    @property
    def teacher(self) -> "Job | None":
        """The teacher of a distillation as it reads the student's rows; the student itself where it is no other."""
        if not self.config.train.needs_teacher:
            return None
        shows = bool(self.config.teacher_model.demonstration)
        shown = self.config.train.max_completion_tokens * shows  # its length, guessed
        shape, compute = self.teacher_shape or self.shape, self.teacher_compute or self.compute
        return replace(self, shape=shape, compute=compute, prompt_tokens=self.prompt_tokens + shown)

    @property
    def is_padded(self) -> bool:
        """Whether prompts of several lengths stand side by side, so that attention takes a mask."""
        return not self.config.data.is_one_prompt or self.config.critiques is not None


def phases(job: Job) -> list[Phase]:
    """Lists every phase of the run in its order."""
    held = {"base weights": weight_bytes(job)}
    if job.teacher_shape:
        held |= {"teacher weights": weight_bytes(replace(job, shape=job.teacher_shape, compute=job.teacher_compute))}
    found = [Phase("load", held | {"transients": load_transient_bytes(job)} | fixed_parts(job))]
    steps = {"gradients and optimizer": job.trained_parameters * (FLOAT + optimizer_bytes(job))}
    training = held | {"adapter": adapter_bytes(job)} | steps | fixed_parts(job)
    for number, (sampler, rows, tokens) in enumerate(samplers_of(job), 1):
        beside = {"model that samples": weight_bytes(sampler)}
        found.append(generation_phase(sampler, f"sample {number}", training | beside, rows, tokens))
    if job.warmup:
        found.append(Phase("warm-up", training | backward_parts(job.warmup)))
    for name, stage in job.stages.items():
        train = stage.config.train
        if train.generated_rows:
            found.append(generation_phase(stage, name, training, sampled_rows(stage.config), stage.row_tokens))
        found.append(Phase(name, training | backward_parts(stage)))
    found.append(generation_phase(job, "evaluate", training, *evaluation_batch(job)))
    if job.config.train.generated_rows:
        found.append(generation_phase(job, "generate", training, sampled_rows(job.config), job.row_tokens))
    if job.config.reference_passes:
        found.append(Phase("score", training | scoring_parts(job)))
    if job.teacher:
        read = job.teacher.micro_tokens * layer_forward_bytes(job.teacher)
        found.append(Phase("teach", training | {"activations": read}))
    found.append(Phase("backward", training | backward_parts(job)))
    found.append(Phase("optimizer", training | {"transients": 2 * FLOAT * job.trained_parameters}))
    found.append(Phase("save", training | {"transients": FLOAT * job.trained_parameters}))
    return found


def fixed_parts(job: Job) -> dict[str, float]:
    """Returns what the libraries take before any tensor, in bytes."""
    return {"libraries": CPU_LIBRARIES} if job.on_cpu else {"CUDA itself": CUDA_ITSELF}


def weight_bytes(job: Job) -> float:
    """Returns the bytes of the base: linear layers as `model.quantize` holds them, the rest as they are."""
    shape, linear = job.shape, job.shape.linear_parameters
    match job.compute.quantize.got:
        case "nf4":
            stored = linear * NF4_BYTES
        case "int8":
            stored = linear + FLOAT * shape.layers * sum(rows for rows, _ in shape.layer().values())
        case _:
            stored = linear * job.width
    return stored + (shape.parameters - linear) * job.width


def load_transient_bytes(job: Job) -> float:
    """Returns the bytes beside the weights while they are read and the adapter is attached."""
    shape = job.shape
    largest = max(rows * columns for rows, columns in shape.layer().values())
    quantising = 2 * largest * job.width if job.compute.quantize.got != "none" else 0
    decomposing = 4 * largest * FLOAT if job.config.adapter.decomposes else 0
    return max(quantising, decomposing, 0 if job.on_cpu else shape.vocab * shape.hidden * job.width)


def adapter_bytes(job: Job) -> float:
    """Returns the bytes of trained weights in float32, frozen factors, and all copies of them."""
    frozen = job.config.adapter.frozen_parameters(job.adapted)
    return FLOAT * (job.trained_parameters * (1 + job.config.trained_copies) + frozen)


def optimizer_bytes(job: Job) -> int:
    """Returns the bytes of AdamW's two states of a parameter: float32, or 8 bits."""
    return 2 * FLOAT if job.compute.optimizer.got == "adamw" else 2


def generation_phase(job: Job, name: str, held: dict[str, float], rows: int, tokens: int) -> Phase:
    """Returns the phase in which `rows` completions, each `tokens` long with its prompt, are sampled at once.

    The cache of a layer grows by being copied. The first step reads the prompts, one layer at a time.
    """
    shape, width = job.shape, job.width
    cache = 2 * shape.layers * shape.key * width * rows * tokens
    copied = shape.key * width * rows * tokens + rebuilt_bytes(job)[1]
    choosing = 4 * rows * shape.vocab * FLOAT
    prompt = rows * min(max(job.prompt_tokens, job.asked_tokens), tokens) * layer_forward_bytes(job)
    prompt += rebuilt_bytes(job)[1]
    return Phase(name, held | {"KV cache": cache, "transients": max(copied + choosing, prompt)})


def evaluation_batch(job: Job) -> tuple[int, int]:
    """Returns (rows, tokens) of the largest batch of the evaluation, as `inference.sampling` makes it."""
    evaluation = job.config.evaluation
    tokens = job.asked_tokens + evaluation.max_completion_tokens
    room = evaluation.batch_size * (USUAL_PROMPT_TOKENS + evaluation.max_completion_tokens)
    completions = evaluation.problems * evaluation.samples
    return max(1, min(evaluation.batch_size, room // tokens, completions)), tokens


def scoring_parts(job: Job) -> dict[str, float]:
    """Returns what scoring the rollouts with the reference takes: a forward pass a micro-batch."""
    tokens = job.micro_tokens
    head = logit_tiles(job, "forward") + 2 * job.shape.hidden * job.width * tokens
    return {"log-probabilities": max(head, tokens * layer_forward_bytes(job) + rebuilt_bytes(job)[1])}


def backward_parts(job: Job) -> dict[str, float]:
    """Returns a micro-batch's worst moment: at the LM head with all that autograd kept, or in a recomputed layer."""
    tokens = job.micro_tokens
    kept, one_layer = kept_by_autograd(job)
    direction = "entropy" if job.config.train.has_entropy_bonus else "backward"
    tiles = divergence_tiles(job) if job.teacher else logit_tiles(job, direction)
    head = tiles + FLOAT * job.shape.hidden * tokens
    layer = tokens * (one_layer + mlp_gradient_bytes(job)) + rebuilt_bytes(job)[1]
    before_head = kept - tokens * head_bytes(job)
    if before_head + layer > kept + head:
        return {"activations": before_head, "one layer at work": layer}
    return {"activations": kept, "log-probabilities": head}


def mlp_gradient_bytes(job: Job) -> int:
    """Returns bytes a token of the widest gradients: three of the MLP's width at its product, one of the stream.

    By then what an adapter of down_proj had kept is free again.
    """
    adapted = {name.rpartition(".")[2] for name in job.adapted}
    freed = "down_proj" in adapted and job.config.adapter.trains_inputs
    return job.width * ((2 if freed else 3) * job.shape.intermediate + job.shape.hidden)


def head_bytes(job: Job) -> int:
    """Returns bytes a token kept after the last layer: the last norm's input, and what the LM head reads."""
    return job.shape.hidden * (FLOAT + job.width) + 5 * FLOAT


def layer_forward_bytes(job: Job) -> int:
    """Returns bytes a token of one layer while it computes, nothing kept: the MLP's four, and the stream in float32."""
    return 4 * job.shape.intermediate * job.width + 3 * job.shape.hidden * FLOAT


def kept_by_autograd(job: Job) -> tuple[float, float]:
    """Returns (bytes kept of a micro-batch, bytes a token of the one layer that is recomputed)."""
    tokens, stream = job.micro_tokens, job.shape.hidden * job.width
    attention, mlp = layer_keeps(job)
    if job.recomputes:
        its_input = stream if job.width == FLOAT else 0  # which is kept anyhow; in 16 bits the norm has a copy
        return tokens * (job.shape.layers * stream + head_bytes(job)), attention + mlp - its_input
    kept = job.shape.layers * (attention + mlp) - before_the_first_adapter(job, attention, mlp)
    return tokens * (kept + head_bytes(job)) + rebuilt_bytes(job)[0], 0.0


def rebuilt_bytes(job: Job) -> tuple[float, float]:
    """Returns (bytes kept of all layers, bytes of the layer at work) of W + ΔW where an adapter makes it anew."""
    if not job.config.adapter.rebuilds_weights:
        return 0, 0
    sizes = [FLOAT * rows * columns for rows, columns in job.adapted.values()]
    kept, at_work = 2 * sum(sizes), 4 * max(sizes)
    return (0, at_work + kept / job.shape.layers) if job.recomputes else (kept, at_work)


def before_the_first_adapter(job: Job, attention: float, mlp: float) -> float:
    """Returns bytes a token of the first layer's part before any adapter: it has no gradient, so keeps nothing."""
    names = {name.rpartition(".")[2] for name in job.adapted}
    if names & {"q_proj", "k_proj", "v_proj", "qkv_proj", "embed_tokens"}:
        return 0 if "embed_tokens" in names else job.shape.hidden * FLOAT
    if "o_proj" in names:
        return attention - adapters_keep(job, "attention")
    if names & {"gate_proj", "up_proj", "gate_up_proj"}:
        return attention
    return attention + mlp - adapters_keep(job, "mlp")


def layer_keeps(job: Job) -> tuple[float, float]:
    """Returns bytes a token that the backward pass needs of one layer: (attention, MLP)."""
    shape, width = job.shape, job.width
    norm = (shape.hidden + 1) * FLOAT
    heads = (shape.query + shape.key + shape.heads + shape.kv_heads) * FLOAT if shape.norms_heads else 0
    is_repeated = (job.is_padded or job.compute.avoids_enable_gqa) and shape.heads != shape.kv_heads
    keys = 2 * (shape.query if is_repeated or job.shares_prompts else shape.key) * width
    mask = job.row_tokens * width if job.is_padded else 0
    beside = branch_bytes(job) if job.shares_prompts else mask
    attention = norm + heads + 2 * shape.query * width + keys + shape.heads * FLOAT + beside
    mlp = norm + 3 * shape.intermediate * width
    return attention + adapters_keep(job, "attention"), mlp + adapters_keep(job, "mlp")


def branch_bytes(job: Job) -> float:
    """Returns bytes a token for what attention copies where rows share prompts: each row's queries and outputs, the
    keys and values of the prompt before it, and a mask a prompt.
    """
    prompts, completion = job.config.train.prompts_of(job.micro_rows), job.row_tokens - job.prompt_tokens
    copies = 2 * job.micro_rows * (job.row_tokens + completion) * job.shape.query
    return job.width * (copies + prompts * completion * job.row_tokens) / job.micro_tokens


def adapters_keep(job: Job, half: str) -> float:
    """Returns bytes a token for the adapters of a layer's attention or MLP: their inputs, if A is trained, and x A."""
    names = {name.rpartition(".")[2] for name in job.adapted}
    of_attention = ("q_proj", "k_proj", "v_proj", "qkv_proj", "o_proj")
    layer = {
        name: size
        for name, size in job.shape.layer().items()
        if name in names and (name in of_attention) == (half == "attention")
    }
    kind, width = job.config.adapter, job.width
    total = 0 if kind.rebuilds_weights else sum(kind.rank * width for _ in layer)
    if not kind.trains_inputs:
        return total
    total += sum(2 * rows * width for rows, _ in layer.values()) if getattr(kind, "dora", False) else 0
    dropped = getattr(kind, "dropout", 0)
    if dropped or width != FLOAT:  # each adapter has a copy of its input of its own
        noise = (FLOAT if job.on_cpu else 1) if dropped else 0
        its_input = FLOAT if kind.rebuilds_weights else width
        return total + sum(columns * (its_input + noise) for _, columns in layer.values())
    shared = {"o_proj": 0, "down_proj": job.shape.intermediate}
    inputs = {"norm" if name not in shared else name: shared.get(name, job.shape.hidden) for name in layer}
    return total + sum(inputs.values()) * width
