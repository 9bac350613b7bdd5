"""On a CUDA card: each fast path against plain torch, and the smallest-memory path at a real size."""

import subprocess
import sys
from contextlib import nullcontext

import pytest
import torch
from engine_rows import ENDS, RAGGED, with_adapter
from sessions import context_of
from tiny_models import tiny_model

from tinyreason import trainers
from tinyreason.config.model import Model
from tinyreason.config.run_config import Kernels
from tinyreason.inference.engines import fixed_steps, make_engine
from tinyreason.inference.engines.agreement import disagreement
from tinyreason.inference.engines.loop import roll_out
from tinyreason.inference.engines.tokens import TokenRule, uniforms_of
from tinyreason.models.hardware import find_card
from tinyreason.models.kernels import installed_packages
from tinyreason.models.load import compute_settings_for, load_model, peak_memory_gb
from tinyreason.trainers.session import TrainingSession

pytestmark = pytest.mark.gpu
IDS = torch.tensor([[300, 12, 40, 301, 77, 5, 9, 8], [9, 8, 7, 6, 5, 4, 3, 2]])


@pytest.fixture(scope="module")
def card():
    found = find_card()
    if found is None:
        pytest.skip("no CUDA card here")
    return found


def save_random(folder, **shape):
    """A random Qwen2 of this shape, with the sandbox's tokenizer."""
    import transformers

    from tinyreason.sandbox import BASE

    config = transformers.Qwen2Config(**shape, pad_token_id=0, bos_token_id=0, eos_token_id=1)
    torch.manual_seed(0)
    with torch.device("cuda"):
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(BASE).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def small(card, tmp_path_factory):
    shape = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2, "vocab_size": 512}
    return save_random(tmp_path_factory.mktemp("small"), **shape, num_attention_heads=4, num_key_value_heads=2)


def loss_and_gradients(folder, card, **kernels):
    config = Model(name=str(folder), dtype="auto" if card.has_bfloat16 else "float32")  # eager is refused in float16
    compute = compute_settings_for(config, Kernels(**kernels), card)
    model, _ = load_model(config, compute)
    loss = model(IDS.cuda(), labels=IDS.cuda()).loss
    loss.backward()
    return compute, loss.float(), {name: p.grad.float() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(
    ("package", "fast"),
    [
        (None, {"attention": "sdpa"}),
        ("flash-attn", {"attention": "flash_attention_2"}),
        ("liger-kernel", {"fused": "liger"}),
    ],
)
def test_a_fast_path_agrees_with_plain_torch(card, small, package, fast):
    if package and (package not in installed_packages() or not card.has_bfloat16):
        pytest.skip(f"needs {package} and an Ampere card")
    plain = {"attention": "eager", "fused": "off"}
    compute, fast_loss, fast_gradients = loss_and_gradients(small, card, **(plain | fast))
    _, loss, gradients = loss_and_gradients(small, card, **plain)
    assert {name: compute.settings()[name].got for name in fast} == fast
    assert torch.allclose(fast_loss, loss, rtol=1e-2)
    for name, gradient in gradients.items():
        assert (fast_gradients[name] - gradient).norm() <= 0.05 * gradient.norm() + 1e-4, name


def fast_and_plain_lora(folder, card):
    """Gradients of a LoRA of the same weights: as one operation a layer, and as PEFT computes it, under autocast."""
    from tinyreason.adapters import ADAPTERS
    from tinyreason.models.fast_linear import fast_linears

    dtype = torch.bfloat16 if card.has_bfloat16 else torch.float16
    config = Model(name=str(folder), dtype=str(dtype).rpartition(".")[2])
    model, _ = load_model(config, compute_settings_for(config, Kernels(), card))
    model = ADAPTERS["lora"](rank=4, targets="all-linear").attach(model, seed=0)
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.02)
    for is_fast in (True, False):
        model.zero_grad()
        with fast_linears(model) if is_fast else nullcontext(), torch.autocast("cuda", dtype):
            model(IDS.cuda(), labels=IDS.cuda()).loss.backward()
        yield {name: p.grad.float().clone() for name, p in model.named_parameters() if p.requires_grad}


def test_lora_as_one_operation_has_the_gradients_of_pefts(card, small):
    fast, plain = fast_and_plain_lora(small, card)
    assert len(plain) == 2 * 7 * 2
    for name, gradient in plain.items():
        assert gradient.norm() > 0
        assert (fast[name] - gradient).norm() <= 0.03 * gradient.norm(), name


@pytest.mark.parametrize("adapter", ["none", "lora", "lora_xs"])
@pytest.mark.parametrize("quantize", ["none", "nf4"])
def test_steps_that_are_replayed_as_graphs_say_what_transformers_says(card, tmp_path, quantize, adapter, monkeypatch):
    monkeypatch.setattr(fixed_steps, "COLUMNS", 8)  # several shapes
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    folder = tiny_model(tmp_path, "Qwen2", initializer_range=0.2, **heads)  # sharp, so that one wrong key would show
    config = Model(name=str(folder), dtype="float32", quantize=quantize)
    model, _ = load_model(config, compute_settings_for(config, Kernels(), card))
    model = with_adapter(model, adapter, 0.2)
    uniforms, said, errors = uniforms_of([[0, row] for row in range(len(RAGGED))], 24), {}, {}
    for name in ("hf", "fused"):
        engine = make_engine(model, name, len(RAGGED))
        said[name] = roll_out(engine, RAGGED, uniforms, TokenRule(), ENDS, keeps_values=True)
        errors[name] = [
            error_alone(model, *row) for row in zip(RAGGED, said[name].ids, said[name].log_probs, strict=True)
        ]
    print(f"furthest log-probability from that of the row alone: {errors}")
    assert len(engine.fixed_steps.shapes) > 2 and engine.fixed_steps.pool is not None
    assert max(errors["hf"]) < 2e-3, errors
    assert max(errors["fused"]) < 2e-3, errors
    assert said["fused"].ids == said["hf"].ids
    assert disagreement(model) is None


@torch.no_grad()
def error_alone(model, prompt, ids, log_probs) -> float:
    """The largest difference of a row's log-probabilities to those of the row alone, without a cache."""
    whole = torch.tensor([[*prompt, *ids]], device=model.device)
    logits = model(input_ids=whole, use_cache=False).logits[0, len(prompt) - 1 : -1].float()
    wanted = logits.log_softmax(dim=-1).gather(1, whole[0, len(prompt) :, None])[:, 0].cpu()
    return float((wanted - torch.tensor(log_probs)).abs().max())


def test_four_bits_and_lora_xs_train_a_model_of_the_size_of_qwen2_5_1_5b(card, tmp_path):
    from tinyreason.config.recipe import read_recipe
    from tinyreason.grading.grader import Grader
    from tinyreason.runs.folder import RunFolder

    folder = save_random(
        tmp_path / "model",
        **{"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28, "vocab_size": 151936},
        **{"num_attention_heads": 12, "num_key_value_heads": 2, "tie_word_embeddings": True},
    )
    overrides = (
        f"model.name={folder}",
        "model.quantize=nf4",
        "adapter={kind: lora_xs, rank: 16}",
        *("train.max_steps=2", "train.rollouts_per_step=16", "train.micro_batch_size=4"),
        *("train.max_completion_tokens=128", "rewards=[{kind: format}]"),
    )
    config = read_recipe("one_shot_rlvr").resolve("sandbox", overrides)
    context = context_of(config, card=card)
    model, tokenizer = load_model(config.model, context.compute)
    model = config.adapter.attach(model, seed=0)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 28 * 7 * 16**2
    seconds = []
    with RunFolder(tmp_path / "run") as run, Grader() as grader:
        session = TrainingSession(config, context, model, tokenizer, run, grader)
        trainers.train(session, config.data.load(), lambda _, m: seconds.append(m["time/step_s"]) or {})
    print(f"{card.describe()}: {peak_memory_gb():.2f} GB at most, {seconds[-1]:.1f} s a step of 16 × 128 tokens")
    assert len(seconds) == 2
    assert peak_memory_gb() < 12


def test_the_card_that_is_taken_is_the_only_one_that_torch_sees(card):
    code = """
from tinyreason.models.hardware import take_card
card = take_card()
import torch
print(torch.cuda.device_count(), torch.cuda.get_device_name(0) in card.name)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "True"]
