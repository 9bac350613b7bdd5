"""The adapter that trains one row of the embedding."""

import hashlib

import pytest
import torch
from tiny_models import tiny_model, tiny_tokenizer

from tinyreason.adapters import learnt_row, with_adapter
from tinyreason.adapters.new_token import NewToken
from tinyreason.errors import ModelError

ARCHITECTURES = ("Qwen2", "Llama", "Gemma")
"""Two that tie their embeddings, one of which also rescales them, and one that does not."""
WAIT = [304]
RESERVED = 493
"""What the sandbox's tokenizer calls "Wait", and the first row behind its last token."""
IDS = torch.tensor([[300, 12, 40, RESERVED, 77, 5], [9, 8, 7, 6, 5, 4]])


def logits(model):
    model.eval()
    with torch.no_grad():
        return model(IDS).logits


def base_sha256(model):
    """Of all weights but the adapter's."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        if "lora_" not in name:
            digest.update(name.replace(".base_layer", "").encode() + tensor.float().numpy().tobytes())
    return digest.hexdigest()


def take_a_step(model, rate=0.1):
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=rate)
    model(IDS, labels=IDS).loss.backward()
    optimizer.step()
    optimizer.zero_grad()


@pytest.fixture
def attached(tiny, load):
    def attach(architecture="Qwen2", **options):
        model, tokenizer = load(tiny(architecture))
        return NewToken(**options).attach(model, 0, tokenizer)

    return attach


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_one_row_of_the_embedding_differs_after_a_step_and_the_base_does_not(attached, tiny, load, architecture):
    model = attached(architecture)
    base, _ = load(tiny(architecture))
    everything = torch.arange(512)[None]

    def rows():
        with torch.no_grad():
            return model.get_input_embeddings()(everything)[0]

    before, sha256, head = rows(), base_sha256(base), base.get_output_embeddings().weight
    take_a_step(model)
    assert (rows() != before).any(dim=1).nonzero().flatten().tolist() == [RESERVED]
    assert base_sha256(model.get_base_model()) == sha256.replace("base_model.model.", "")
    assert torch.equal(model.get_output_embeddings().weight, head)  # so that the model never says it by itself
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 64


def test_the_row_starts_as_the_mean_of_words_that_are_one_token(attached, tiny, load):
    base = load(tiny("Qwen2"))[0].get_input_embeddings().weight
    assert torch.allclose(learnt_row(attached())[1], base[WAIT].mean(dim=0))
    token, row = learnt_row(attached(words=("Wait", "So", "2")))
    assert token == RESERVED
    two, so = 22, load(tiny("Qwen2"))[1]("So", add_special_tokens=False)["input_ids"]
    del two
    ids = sorted({*WAIT, *so, *load(tiny("Qwen2"))[1]("2", add_special_tokens=False)["input_ids"]})
    assert torch.allclose(row, base[ids].mean(dim=0))
