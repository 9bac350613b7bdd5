"""Kernels counted by the plan are compared with those that torch dispatches on a CPU, for a model of two layers."""

from collections import Counter
from contextlib import nullcontext

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

from tinyreason.config.model import Model
from tinyreason.config.recipe import read_recipe
from tinyreason.config.run_config import Kernels
from tinyreason.models.hardware import Card
from tinyreason.models.kernels import ComputeSettings, choose_compute_settings
from tinyreason.planning.launches import layer_kernels, takes_math_kernel, token_kernels
from tinyreason.planning.memory import Job
from tinyreason.planning.model_shape import Shape

VIEWS = (
    "view _unsafe_view t transpose expand slice unsqueeze squeeze select alias detach split permute reshape as_strided "
    "lift_fresh empty empty_like"
).split()
"""What torch dispatches without a kernel."""
SIZES = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "num_key_value_heads": 2}
T4 = Card("Tesla T4", 15.0, (7, 5))


class OnMathKernel(ComputeSettings):
    """The settings of a run that leaves enable_gqa to transformers, as all once did."""

    avoids_enable_gqa = False


class Counted(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.kernels = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function._schema.name.partition("::")[2]
        self.kernels[name] += name not in VIEWS
        return function(*args, **(kwargs or {}))


def job_of(kind, dtype, attention="sdpa", targets="all-linear", settings=ComputeSettings, card=T4):
    words = ("adapter.rank=4", f"adapter.targets={targets}")
    model = Model(name="tiny", dtype=dtype)
    compute = choose_compute_settings(model, Kernels(attention=attention), card, {}, kind)
    shape = Shape(kind, 64, 2, 128, 4, 2, 16, 512, True)
    return Job(read_recipe("one_shot_rlvr").resolve("sandbox", words), shape, settings(**vars(compute)), 20)


def model_of(job, layers, has_adapter):
    import transformers

    kind = {"qwen2": transformers.Qwen2Config, "qwen3": transformers.Qwen3Config, "llama": transformers.LlamaConfig}
    head = {} if job.shape.model_type == "qwen2" else {"head_dim": 16}
    config = kind[job.shape.model_type](**SIZES, **head, num_hidden_layers=layers, vocab_size=512)
    attention = {"attn_implementation": job.compute.attention.got}
    model = transformers.AutoModelForCausalLM.from_config(config, **attention)
    model = model.to(getattr(torch, job.compute.dtype.got)).eval()
    return job.config.adapter.attach(model, seed=0) if has_adapter else model


def counted_in_a_layer(job, is_masked=False, has_adapter=True, is_math=False):
    """Kernels of a decoding step with three layers, less those with two."""
    counts = []
    for layers in (2, 3):
        model = model_of(job, layers, has_adapter)
        ids = torch.randint(5, 100, (3, 20))
        mask = torch.ones(3, 21, dtype=torch.long)
        mask[0, :3] = not is_masked
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH) if is_math else nullcontext():
            cache = model(ids, attention_mask=mask[:, :20], use_cache=True).past_key_values
            with Counted() as seen:
                model(ids[:, :1], attention_mask=mask, past_key_values=cache, use_cache=True)
        counts.append(seen.kernels.total())
    return counts[1] - counts[0]


@pytest.mark.parametrize("is_masked", [False, True])
@pytest.mark.parametrize("has_adapter", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("kind", ["qwen2", "qwen3", "llama"])
def test_the_kernels_of_a_layer_are_those_that_torch_launches(kind, dtype, has_adapter, is_masked):
    job = job_of(kind, dtype)
    assert layer_kernels(job, is_masked, has_adapter) == counted_in_a_layer(job, is_masked, has_adapter)


def test_the_math_kernel_launches_more():
    job = job_of("qwen2", "float16", settings=OnMathKernel)
    assert takes_math_kernel(job, is_masked=False)
    assert layer_kernels(job, False, True) == counted_in_a_layer(job, is_math=True)
    assert not takes_math_kernel(job, is_masked=True), "with a mask transformers packs the queries by itself"
    assert not takes_math_kernel(job_of("qwen2", "float16"), is_masked=False)
    later = job_of("qwen2", "float16", settings=OnMathKernel, card=Card("L4", 22.5, (8, 9)))
    assert not takes_math_kernel(later, is_masked=False)


def test_attention_as_plain_matrices_launches_more():
    job = job_of("qwen2", "float32", attention="eager")
    assert layer_kernels(job, False, True) == counted_in_a_layer(job)


def test_an_adapter_on_fewer_layers_launches_less():
    every, some = job_of("qwen2", "float16"), job_of("qwen2", "float16", targets="attention")
    assert layer_kernels(every, False, True) - layer_kernels(some, False, True) == 3 * 6
    assert layer_kernels(some, False, True) == counted_in_a_layer(some)


def test_the_kernels_of_a_sampled_token_are_those_that_torch_launches():
    job, counts = job_of("qwen2", "float16"), []
    model, ids = model_of(job, 2, has_adapter=True), torch.randint(5, 100, (3, 20))
    for tokens in (4, 9):
        with torch.no_grad(), Counted() as seen:
            options = {"max_new_tokens": tokens, "min_new_tokens": tokens, "do_sample": True, "temperature": 0.7}
            model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), **options, pad_token_id=0, eos_token_id=1
            )
        counts.append(seen.kernels.total())
    assert token_kernels(job, False, True) == pytest.approx((counts[1] - counts[0]) / 5, rel=0.05)
