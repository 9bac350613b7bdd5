"""What holds for every adapter, on every base it can sit on, in six architectures."""

import json
import subprocess
import sys
from itertools import cycle

import pytest
import torch

from tests.adapters.conftest import ARCHITECTURES
from tinyreason.adapters import ADAPTERS, adapted_weights, is_quantized, merge_adapter
from tinyreason.adapters.lora import Lora
from tinyreason.adapters.lora_xs import LoraXs
from tinyreason.adapters.miss import Miss
from tinyreason.adapters.tinylora import Tinylora
from tinyreason.errors import ConfigError, ModelError

IDS = torch.tensor([[300, 12, 40, 301, 77, 5], [9, 8, 7, 6, 5, 4]])
EVERY = {
    "lora": Lora(rank=4),
    "rslora": Lora(rank=4, rslora=True),
    "dora": Lora(rank=4, dora=True),
    "gaussian": Lora(rank=4, init="gaussian"),
    "orthogonal": Lora(rank=4, init="orthogonal"),
    "pissa": Lora(rank=4, init="pissa"),
    "olora": Lora(rank=4, init="olora"),
    "lora_xs": LoraXs(rank=4, targets="all-linear"),
    "tinylora": Tinylora(rank=2, vector=5),
    "tinylora tied": Tinylora(rank=2, vector=13, tied=True),
    "miss": Miss(rank=4),
    "bat": Miss(rank=4, variant="bat"),
}
BASES = ("none", "nf4", "int8")
HERE = [(name, base) for name, adapter in EVERY.items() for base in BASES if base in ("none", *adapter.quantized_bases)]
ALL = [(name, base, architecture) for name, base in HERE for architecture in ARCHITECTURES]
EVERY_DAY = [
    pytest.param(*each, marks=() if each[0] == "lora" or "none" in each or "Qwen2" in each else pytest.mark.stress)
    for each in ALL
]
"""Of adapter, base and architecture every two meet; all three meet with -m stress."""
each_adapter_and_base = pytest.mark.parametrize(("name", "base"), HERE)
each_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)


def logits(model):
    model.eval()
    with torch.no_grad():
        return model(IDS).logits


def train_a_little(model, steps=3):
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        model(IDS, labels=IDS).loss.backward()
        optimizer.step()


@pytest.fixture
def attached(tiny, load):
    """A function: (adapter's name, base, architecture) → (adapter, model), the base's logits kept as model.start."""

    def attach(name, base="none", architecture="Qwen2", seed=0):
        model, _ = load(tiny(architecture), quantize=base)
        start = logits(model)
        model = EVERY[name].attach(model, seed)
        model.start = start
        return EVERY[name], model

    return attach


def test_every_kind_is_here():
    assert {adapter.kind for adapter in EVERY.values()} == set(ADAPTERS) - {"new_token"}  # which is on no linear layer


@pytest.mark.parametrize(("name", "base", "architecture"), EVERY_DAY)
def test_it_starts_as_the_base_and_only_its_own_weights_train(attached, name, base, architecture):
    _, model = attached(name, base, architecture)
    exact = name not in ("pissa", "olora", "orthogonal")
    assert (logits(model) - model.start).abs().max() <= (0 if exact else 1e-5)
    before = {key: value.detach().clone() for key, value in model.state_dict().items()}
    ours = {key for key, p in model.named_parameters(remove_duplicate=False) if p.requires_grad}
    train_a_little(model)
    after = model.state_dict()
    changed = {key for key in before if not torch.equal(after[key], before[key])}
    assert changed == ours and ours
    assert all(".default" in key and after[key].dtype == torch.float32 for key in ours)


@each_architecture
@pytest.mark.parametrize("name", EVERY)
def test_it_has_the_parameters_it_declares(attached, tiny, load, name, architecture):
    adapter, model = attached(name, architecture=architecture)
    base, _ = load(tiny(architecture))
    layers = adapter.layers(base)
    assert len(layers) == 2 * (4 if architecture == "Phi3" else 7)
    assert adapter.trained_parameters(layers) == sum(p.numel() for p in model.parameters() if p.requires_grad)
    frozen = [*model.parameters(), *model.buffers()]
    held = sum(t.numel() for t in frozen if not t.requires_grad) - sum(
        t.numel() for t in (*base.parameters(), *base.buffers())
    )
    assert adapter.frozen_parameters(layers) == held


@each_adapter_and_base
def test_restoring_undoes_what_was_trained_since_the_save(attached, tmp_path, name, base):
    adapter, model = attached(name, base)
    train_a_little(model)
    saved = logits(model)
    adapter.save(model, tmp_path)
    train_a_little(model)
    assert not torch.equal(logits(model), saved)
    adapter.restore(model, tmp_path)
    assert torch.equal(logits(model), saved)


FRESH = """
import json, sys, torch, transformers, warnings
from peft import PeftModel
warnings.simplefilter("error", UserWarning)
ids, worst = torch.tensor(json.loads(sys.argv[2])), {}
quantize = {
    "none": None,
    "nf4": transformers.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.float32),
    "int8": transformers.BitsAndBytesConfig(load_in_8bit=True),
}
for row in json.load(open(sys.argv[1])):
    base = transformers.AutoModelForCausalLM.from_pretrained(
        row["model"], dtype=torch.float32, quantization_config=quantize[row["base"]], device_map={"": "cpu"})
    for layer in base.modules():
        layer.support_avx512bf16_for_cpu = False  # else bitsandbytes computes NF4 in bfloat16 where the CPU can
    with torch.no_grad():
        found = PeftModel.from_pretrained(base, row["adapter"]).eval()(ids).logits
    worst[row["case"]] = (found - torch.load(row["logits"])).abs().max().item()
print(json.dumps(worst))
"""


IN_TURN = [(*pair, architecture) for pair, architecture in zip(HERE, cycle(ARCHITECTURES), strict=False)]


@pytest.mark.parametrize(
    "combinations",
    [
        [case for case in IN_TURN if "none" in case],
        *(pytest.param(cases, marks=pytest.mark.stress) for cases in (IN_TURN, ALL)),
    ],
    ids=["on floats", "in turn", "all"],
)
def test_plain_peft_in_a_fresh_process_loads_every_adapter_to_the_same_logits(attached, tiny, tmp_path, combinations):
    cases = []
    for name, base, architecture in combinations:
        case = f"{name} on {base} {architecture}"
        folder = tmp_path / case
        adapter, model = attached(name, base, architecture)
        train_a_little(model, steps=2)
        adapter.save(model, folder)
        moved = logits(model)
        assert not torch.equal(moved, model.start), case
        torch.save(moved, folder / "logits.pt")
        paths = {"model": str(tiny(architecture)), "adapter": str(folder), "logits": str(folder / "logits.pt")}
        cases.append(paths | {"case": case, "base": base})
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    arguments = [str(tmp_path / "cases.json"), json.dumps(IDS.tolist())]
    done = subprocess.run([sys.executable, "-c", FRESH, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    worst = json.loads(done.stdout.splitlines()[-1])
    assert len(worst) == len(cases)
    assert {case: difference for case, difference in worst.items() if difference > 1e-5} == {}


@each_adapter_and_base
def test_gradients_are_the_same_with_gradient_checkpointing(attached, name, base):
    gradients = []
    for checkpointing in (False, True):
        _, model = attached(name, base)
        model.train()
        if checkpointing:
            model.enable_input_require_grads()
            model.gradient_checkpointing_enable({"use_reentrant": False})
        model(IDS, labels=IDS).loss.backward()
        gradients.append([p.grad for p in model.parameters() if p.requires_grad])
    for plain, checkpointed in zip(*gradients, strict=True):
        assert torch.allclose(plain, checkpointed, atol=1e-6)
    assert any(plain.abs().max() > 0 for plain in gradients[0])


@pytest.mark.parametrize(
    ("name", "base"),
    [*((name, "none") for name in EVERY), ("lora", "nf4"), ("dora", "nf4"), ("miss", "int8"), ("bat", "nf4")],
)
def test_merged_into_its_base_which_is_dequantised_it_answers_the_same(attached, tmp_path, name, base):
    adapter, model = attached(name, base)
    train_a_little(model)
    adapter.save(model, tmp_path)
    moved, weights = logits(model), adapted_weights(model)
    merged = merge_adapter(model, tmp_path)
    off = 0.01 if base == "int8" else 1e-5  # LLM.int8 rounds what it multiplies with too
    assert (logits(merged) - moved).abs().max() <= off * moved.abs().max()
    assert not is_quantized(merged) and {p.dtype for p in merged.parameters()} == {torch.float32}
    assert all((merged.get_parameter(key) - weight).abs().max() > 0 for key, weight in weights.items())


@pytest.mark.parametrize("name", EVERY)
def test_the_same_seed_starts_the_same_adapter(attached, name):
    first, again = (attached(name)[1].state_dict() for _ in range(2))
    assert all(torch.equal(first[key], again[key]) for key in first)


@pytest.mark.parametrize("name", [name for name in EVERY if name not in ("pissa", "olora", "dora")])
def test_it_starts_from_an_earlier_one_and_holds_that_as_the_reference(attached, tiny, load, tmp_path, name):
    adapter, model = attached(name)
    train_a_little(model)
    adapter.save(model, tmp_path)
    if EVERY[name].model_fields_set & {"init"}:
        adapter = adapter.model_copy(update={"init": "default"})
    later = adapter.model_copy(update={"start": str(tmp_path)}).attach(load(tiny("Qwen2"))[0], seed=1)
    assert torch.allclose(logits(later), logits(model), atol=1e-5)
    train_a_little(later)
    assert not torch.allclose(logits(later), logits(model), atol=1e-5)
    later.set_adapter("ref")
    assert torch.allclose(logits(later), logits(model), atol=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_a_rank_larger_than_the_layer_is_refused(tiny, load, name):
    with pytest.raises(ConfigError, match=r"adapter.rank=65 .*adapter.rank=\d+ or less"):
        EVERY[name].model_copy(update={"rank": 65}).attach(load(tiny("Qwen2"))[0], seed=0)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("targets", [("gate_proj", "nothing_proj"), ("lm_head",)])
def test_targets_that_match_nothing_are_refused_with_the_names_there_are(tiny, load, name, targets):
    with pytest.raises(ConfigError, match=r"matches no linear layer.*'q_proj'") as caught:
        EVERY[name].model_copy(update={"targets": targets}).attach(load(tiny("Qwen2"))[0], seed=0)
    assert targets[-1] in str(caught.value)


def test_the_layers_are_known_from_the_config_alone(tiny, load):
    from tinyreason.config.model import Model
    from tinyreason.models.load import skeleton

    for architecture in ARCHITECTURES:
        for adapter in (Lora(), Lora(targets="mlp"), Lora(targets="attention"), Lora(targets=("down_proj",))):
            shapes = adapter.layers(skeleton(Model(name=str(tiny(architecture)))))
            assert shapes and shapes == adapter.layers(load(tiny(architecture))[0])


@pytest.mark.parametrize("name", [name for name in EVERY if name not in ("pissa", "olora", "dora", "orthogonal")])
@pytest.mark.parametrize("other", ["Llama", "empty", "missing"])
def test_an_adapter_of_another_base_is_refused(attached, tiny, load, tmp_path, name, other):
    folder = tmp_path / "adapter"
    if other == "empty":
        folder.mkdir()
    if other == "Llama":  # the same shapes but for the keys and values, and other weights
        adapter, model = attached(name, architecture="Llama")
        train_a_little(model)
        adapter.save(model, folder)
    adapter, (model, _) = EVERY[name].model_copy(update={"start": str(folder)}), load(tiny("Qwen2"))
    with pytest.raises(ModelError) as caught:
        adapter.check_model(model)
        adapter.attach(model, seed=0)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)
