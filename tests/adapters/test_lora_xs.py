import json
import time

import pytest
import torch

from tinyreason.adapters._svd import float_weight, singular_vectors
from tinyreason.adapters.lora_xs import LoraXs
from tinyreason.errors import ModelError

IDS = torch.tensor([[300, 12, 40, 301, 77, 5]])


def middles(model):
    return {name: p for name, p in model.named_parameters() if name.endswith(".middle.R")}


def draw(model, scale=0.1):
    """Random R in every layer, as if trained."""
    generator = torch.Generator().manual_seed(7)
    for parameter in middles(model).values():
        parameter.data = scale * torch.randn(parameter.shape, generator=generator)


def test_the_update_is_the_papers_formula(sandbox):
    model, _ = sandbox
    weight = model.model.layers[1].mlp.up_proj.weight.detach().clone()
    model = LoraXs(rank=5, alpha=10).attach(model, seed=0)
    draw(model)
    layer = model.base_model.model.model.layers[1].mlp.up_proj
    left, values, right = torch.linalg.svd(weight)
    signs = left[:, :5].gather(0, left[:, :5].abs().argmax(dim=0)[None])[0].sign()  # a free choice of the algorithm
    left, right = left[:, :5] * signs, right[:5].T * signs
    wanted = (10 / 5) * left @ layer.lora_B["default"].middle.R @ torch.diag(values[:5]) @ right.T
    assert torch.allclose(layer.get_delta_weight("default"), wanted, atol=1e-5)
    x = torch.randn(3, 128)
    assert torch.allclose(layer(x), x @ (weight + wanted).T, atol=1e-4)


def test_pefts_psoft_without_its_extras_is_the_same_adapter(load):
    """PSOFT has Σ on the output side and starts R at I: U Σ (R' − I) Vᵀ is our U R Σ Vᵀ for R' = I + Σ⁻¹ R Σ."""
    from peft import PsoftConfig, get_peft_model

    ours = LoraXs(rank=4, targets=("up_proj",)).attach(load()[0], seed=0)
    config = PsoftConfig(
        r=4, psoft_alpha=4, target_modules=["up_proj"], psoft_orth=False, psoft_mag_a=False, psoft_mag_b=False
    )
    theirs = get_peft_model(load()[0], config)
    draw(ours)
    for name, layer in ours.named_modules():
        if "default" in getattr(layer, "lora_B", ()):
            other = theirs.get_submodule(name)
            left, values, _ = singular_vectors(float_weight(layer.get_base_layer()), 4)
            matrix = layer.lora_B["default"].middle.R.detach()
            basis, _, _ = torch.linalg.svd(other.get_base_layer().weight.detach(), full_matrices=False)
            flips = torch.diag((basis[:, :4] * left).sum(dim=0).sign())
            moved = torch.diag(1 / values) @ flips @ matrix @ flips @ torch.diag(values)
            parameter = next(p for key, p in other.named_parameters() if "psoft_R" in key and p.shape == (4, 4))
            parameter.data = torch.eye(4) + moved
    with torch.no_grad():
        assert torch.allclose(ours.eval()(IDS).logits, theirs.eval()(IDS).logits, atol=1e-3)
        assert not torch.allclose(ours(IDS).logits, load()[0](IDS).logits, atol=1e-1)


def test_it_has_r_squared_parameters_a_layer(sandbox):
    model = LoraXs(rank=16, targets="all-linear").attach(sandbox[0], seed=0)
    assert [p.shape for p in middles(model).values()] == [(16, 16)] * 28
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 28 * 16**2


@pytest.mark.parametrize("quantize", ["none", "nf4", "int8"])
def test_its_frozen_factors_are_those_of_the_weight_the_base_computes_with(load, quantize):
    base, _ = load(quantize=quantize)
    layer = base.model.layers[0].mlp.down_proj
    with torch.no_grad():
        through = layer(torch.eye(layer.in_features)).T.float()
    assert torch.allclose(float_weight(layer), through, atol=2e-2 if quantize == "int8" else 1e-5)
    model = LoraXs(rank=8).attach(base, seed=0)
    layer = model.base_model.model.model.layers[0].mlp.down_proj
    inner, outer = layer.lora_A["default"].weight, layer.lora_B["default"].outer
    projected = outer @ outer.T @ float_weight(layer.get_base_layer())
    assert torch.allclose(outer @ inner, projected, atol=1e-4)


def test_two_attachments_have_the_same_factors_bit_for_bit(load):
    first, again = (LoraXs(rank=16, targets="all-linear").attach(load()[0], seed=seed) for seed in (0, 1))
    frozen = [name for name, _ in first.named_buffers() if "lora_" in name]
    assert len(frozen) == 2 * 28
    assert all(torch.equal(first.get_buffer(name), again.get_buffer(name)) for name in frozen)


def spectrum_like_a_language_models(rows, columns):
    """A random matrix whose singular values fall like 1/√k: slowly, the hard case for a randomised method."""
    generator = torch.Generator().manual_seed(0)
    size = min(rows, columns)
    left, _ = torch.linalg.qr(torch.randn(rows, size, generator=generator))
    right, _ = torch.linalg.qr(torch.randn(columns, size, generator=generator))
    return (left * torch.arange(1, size + 1).rsqrt()) @ right.T


def test_the_randomised_decomposition_is_close_to_the_exact_one():
    weight = spectrum_like_a_language_models(1100, 1400)
    left, values, right = singular_vectors(weight, 64)
    again = singular_vectors(weight, 64)
    exact = torch.linalg.svdvals(weight)
    assert all(torch.equal(a, b) for a, b in zip((left, values, right), again, strict=True))
    assert torch.allclose(values, exact[:64], rtol=0.02)
    assert torch.allclose(left.T @ left, torch.eye(64), atol=1e-4)
    captured = (left.T @ weight).norm() ** 2 / (exact[:64] ** 2).sum()
    assert captured >= 0.99


def test_a_layer_of_1536_by_8960_takes_three_seconds_at_most():
    weight = torch.randn(1536, 8960, generator=torch.Generator().manual_seed(0))
    start = time.perf_counter()
    singular_vectors(weight, 64)
    assert time.perf_counter() - start <= 3


def test_what_is_kept_for_resuming_is_kilobytes_and_knows_its_base(sandbox, tmp_path):
    from safetensors import safe_open

    adapter = LoraXs(rank=16, targets="all-linear")
    model = adapter.attach(sandbox[0], seed=0)
    draw(model)
    adapter.save(model, tmp_path)
    file = tmp_path / "state.safetensors"
    assert file.stat().st_size < 28 * 16**2 * 4 + 8192
    with safe_open(file, "pt") as state:
        assert state.metadata()["base_sha256"] == model.base_sha256 and len(state.keys()) == 28
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["peft_type"], config["r"], config["lora_alpha"]) == ("LORA", 16, 16)


@pytest.mark.parametrize("change", ["one weight", "quantised"])
def test_a_base_that_is_not_the_same_is_refused_by_its_hash(load, tmp_path, change):
    adapter = LoraXs(rank=4)
    model = adapter.attach(load()[0], seed=0)
    adapter.save(model, tmp_path)
    other, _ = load(quantize="nf4" if change == "quantised" else "none")
    if change == "one weight":
        other.model.layers[2].mlp.up_proj.weight.data[0, 0] += 1e-3
    with pytest.raises(ModelError, match="another base"):
        LoraXs(rank=4, start=str(tmp_path)).attach(other, seed=0)


def test_every_step_can_be_kept(sandbox, tmp_path):
    adapter = LoraXs(rank=4, keep="every_step")
    model = adapter.attach(sandbox[0], seed=0)
    for step in (1, 2):
        draw(model, scale=step)
        adapter.after_step(model, tmp_path, step)
    assert [path.name for path in sorted((tmp_path / "history").iterdir())] == [
        "000001.safetensors",
        "000002.safetensors",
    ]
    LoraXs(rank=4).after_step(model, tmp_path / "other", 1)
    assert not (tmp_path / "other").exists()


def test_the_defaults_are_those_of_the_papers_training_on_seven_billion_parameters():
    # Mistral-7B: 32 layers of 7 projections, 224 · 64² = 0.918 M numbers; learning rate 4e-3 (run_math_tuning.sh)
    adapter = LoraXs()
    width, kv, mlp = 4096, 1024, 14336
    shapes = {"q_proj": (width, width), "k_proj": (kv, width), "v_proj": (kv, width), "o_proj": (width, width)}
    shapes |= {"gate_proj": (mlp, width), "up_proj": (mlp, width), "down_proj": (width, mlp)}
    linear = {f"layers.{n}.{name}": shape for n in range(32) for name, shape in shapes.items()}
    chosen = adapter.choose(linear)
    assert len(chosen) == 224 and adapter.trained_parameters(chosen) == 917_504
    assert (adapter.rank, adapter.default_learning_rate, adapter.init) == (64, 4e-3, "zero")


def test_r_starts_at_zero_or_as_the_paper_samples_it(load):
    zero, normal, again, other = (
        torch.cat([p.detach().flatten() for p in middles(adapter.attach(load()[0], seed)).values()])
        for adapter, seed in ((LoraXs(), 0), (LoraXs(init="normal"), 0), (LoraXs(init="normal"), 0), (LoraXs(), 1))
    )
    assert not zero.any() and not other.any()
    assert torch.equal(normal, again)
    assert normal.std().item() == pytest.approx(1e-5, rel=0.02) and abs(normal.mean().item()) < 1e-7


def test_a_start_leaves_nothing_to_sample():
    with pytest.raises(ValueError, match=r"drop adapter\.init=normal"):
        LoraXs(start="runs/first/adapter", init="normal")
