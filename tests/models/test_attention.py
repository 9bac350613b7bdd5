"""PyTorch's attention and `enable_gqa`, which before Ampere has only the math kernel. The card is a faked one."""

import pytest
import torch

from tinyreason.config.model import Model
from tinyreason.config.run_config import Kernels
from tinyreason.inference.engines import make_engine
from tinyreason.inference.engines.loop import roll_out
from tinyreason.inference.engines.tokens import TokenRule, uniforms_of
from tinyreason.models.attention import avoid_enable_gqa
from tinyreason.models.hardware import Card
from tinyreason.models.kernels import ComputeSettings, choose_compute_settings
from tinyreason.models.load import load_model

T4, L4 = Card("Tesla T4", 15.0, (7, 5)), Card("L4", 22.5, (8, 9))
MODEL = Model(name="sandbox", dtype="float32")


class OnCpu(ComputeSettings):
    """The settings of a card, computed with on the CPU."""

    device = "cpu"


@pytest.fixture(autouse=True)
def as_before():
    yield
    avoid_enable_gqa(False)


@pytest.fixture
def calls(monkeypatch):
    """Whether each call of PyTorch's attention was given enable_gqa."""
    found, attention = [], torch.nn.functional.scaled_dot_product_attention

    def counted(*tensors, **options):
        found.append(options.get("enable_gqa", False))
        return attention(*tensors, **options)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", counted)
    return found


def settings_of(card):
    return OnCpu(**vars(choose_compute_settings(MODEL, Kernels(attention="sdpa"), card, {}, "qwen3")))


def completions(card, prompts=3):
    """Loads the sandbox model as for this card, and completes prompts that are all alike, so that none is masked.

    By the engine that rollouts and evaluations have on a card.
    """
    model, _ = load_model(MODEL, settings_of(card))
    engine, uniforms = make_engine(model, "hf", prompts), uniforms_of(list(range(prompts)), 5)
    return roll_out(engine, [list(range(10, 30))] * prompts, uniforms, TokenRule(), set()).ids


def test_before_ampere_enable_gqa_is_never_passed_neither_to_the_prompt_nor_to_a_token(calls):
    completions(T4)
    assert len(calls) >= 5 * 4
    assert not any(calls)


@pytest.mark.parametrize("card", [L4, None], ids=["L4", "CPU"])
def test_from_ampere_on_and_on_a_cpu_it_is_passed_as_transformers_chooses(calls, card):
    completions(card)
    assert calls and all(calls)


def test_a_model_for_a_later_card_in_the_same_process_is_given_it_again(calls):
    completions(T4)
    completions(T4)
    calls.clear()
    completions(L4)
    assert all(calls)


def test_what_is_computed_is_the_same_with_and_without_it():
    assert completions(T4) == completions(L4)
    model, _ = load_model(MODEL, settings_of(L4))
    ids = torch.arange(10, 40).repeat(2, 1)
    with torch.no_grad():
        shared = model(ids).logits
        avoid_enable_gqa(True)
        torch.testing.assert_close(model(ids).logits, shared, atol=1e-4, rtol=1e-4)
