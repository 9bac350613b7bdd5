"""What holds for every adapter."""

import pytest
import torch

from tinyreason.adapters import ADAPTERS

IDS = torch.tensor([[300, 12, 40, 301, 77, 5]])


def logits(model):
    with torch.no_grad():
        return model(IDS).logits


def train_a_little(model):
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(3):
        model(IDS, labels=IDS).loss.backward()
        optimizer.step()


@pytest.mark.parametrize("kind", ADAPTERS)
def test_at_the_start_it_is_the_base(kind, sandbox):
    model, _ = sandbox
    before = logits(model)
    assert torch.equal(logits(ADAPTERS[kind]().attach(model, seed=0)), before)


@pytest.mark.parametrize("kind", ADAPTERS)
def test_only_adapter_weights_train_and_they_do(kind, sandbox):
    model, _ = sandbox
    model = ADAPTERS[kind]().attach(model, seed=0)
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    train_a_little(model)
    changed = {name for name, p in model.named_parameters() if not torch.equal(p, start[name])}
    assert changed == trained
    assert all("lora" in name for name in trained)


@pytest.mark.parametrize("kind", ADAPTERS)
def test_plain_peft_loads_what_is_saved_to_the_same_logits(kind, sandbox, tmp_path):
    from peft import AutoPeftModelForCausalLM

    model, _ = sandbox
    adapter = ADAPTERS[kind]()
    model = adapter.attach(model, seed=0)
    train_a_little(model)
    adapter.save(model, tmp_path)
    loaded = AutoPeftModelForCausalLM.from_pretrained(tmp_path).eval()
    assert (logits(loaded) - logits(model)).abs().max() <= 1e-5


@pytest.mark.parametrize("kind", ADAPTERS)
def test_restoring_undoes_what_was_trained_since_the_save(kind, sandbox, tmp_path):
    model, _ = sandbox
    adapter = ADAPTERS[kind]()
    model = adapter.attach(model, seed=0)
    train_a_little(model)
    saved = logits(model)
    adapter.save(model, tmp_path)
    train_a_little(model)
    assert not torch.equal(logits(model), saved)
    adapter.restore(model, tmp_path)
    assert torch.equal(logits(model), saved)


@pytest.mark.parametrize("kind", ADAPTERS)
def test_the_same_seed_starts_the_same_adapter(kind):
    from tinyreason.config import Model
    from tinyreason.model import load_model

    first, again, other = (
        ADAPTERS[kind]().attach(load_model(Model(name="sandbox"), card=None)[0], seed=seed).state_dict()
        for seed in (0, 0, 1)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
