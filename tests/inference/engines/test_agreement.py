"""The fused engine is tried against transformers before a card samples with it; here on a CPU."""

import pytest
import torch
from engine_rows import with_adapter
from tiny_models import tiny_model

from tinyreason.inference.engines import agreement, choose_engine
from tinyreason.inference.engines.fixed_steps import FixedSteps
from tinyreason.inference.engines.fused import FusedEngine

HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.2}


@pytest.fixture(autouse=True)
def fixed(monkeypatch):
    """Steps of fixed shapes, as on a card."""
    usual = FusedEngine.__init__

    def begin(self, *arguments):
        usual(self, *arguments)
        self.has_fixed_steps = True

    monkeypatch.setattr(FusedEngine, "__init__", begin)


@pytest.fixture(params=["Llama", "Qwen3"])
def model(load, tmp_path, request):
    more = {"head_dim": 16} if request.param == "Qwen3" else {}
    return load(tiny_model(tmp_path / "m", request.param, **HEADS, **more))[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("adapter", ["none", "lora"])
def test_what_the_engine_says_is_what_transformers_says(model, adapter, dtype):
    assert agreement.disagreement(with_adapter(model, adapter).to(dtype)) is None


@pytest.mark.parametrize("fault", ["place", "pads", "cache"])
def test_a_fault_of_the_card_is_found(model, monkeypatch, fault):
    usual = FixedSteps._logits

    def faulty(self, engine, rows, columns):
        if fault == "place":
            self.place -= 1
        elif fault == "pads":
            self.pads.zero_()
        else:
            engine.cache[1, 0, 0, :, 0] = float("nan")
        return usual(self, engine, rows, columns)

    monkeypatch.setattr(FixedSteps, "_logits", faulty)
    assert "fused says something else than transformers on this card (logits differ" in agreement.disagreement(model)


def test_a_step_that_fails_is_found_and_a_model_is_tried_once(model, monkeypatch):
    def failing(self, engine, rows, columns):
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(FixedSteps, "_logits", failing)
    said = agreement.disagreement(model)
    assert said == "fused fails on this card (operation not permitted when stream is capturing)"
    monkeypatch.undo()
    assert agreement.disagreement(model) is said


def test_a_memory_that_is_too_small_is_no_fault_of_the_engine(model, monkeypatch):
    def failing(self, engine, rows, columns):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(FixedSteps, "_logits", failing)
    with pytest.raises(torch.OutOfMemoryError):
        agreement.disagreement(model)


@pytest.mark.parametrize("is_faulty", [False, True])
def test_a_card_samples_with_what_agreed_there(model, monkeypatch, is_faulty):
    usual = FixedSteps._logits
    monkeypatch.setattr(type(model), "device", property(lambda _: torch.device("cuda")))
    monkeypatch.setattr(FixedSteps, "_logits", lambda *given: usual(*given) * (0.5 if is_faulty else 1))
    name, why = choose_engine(model)
    assert name == ("hf" if is_faulty else "fused")
    assert ("logits differ by" if is_faulty else "it says on this card what transformers says") in why


def test_a_device_on_which_it_was_never_tried_has_transformers(model, monkeypatch):
    monkeypatch.setattr(type(model), "device", property(lambda _: torch.device("mps")))
    assert choose_engine(model) == ("hf", "fused has never been tried on a device of type mps")
