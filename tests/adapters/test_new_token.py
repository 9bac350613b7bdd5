"""The adapter that trains one row of the embedding."""

import hashlib

import pytest
import torch
from peft import PeftModel
from tiny_models import tiny_model, tiny_tokenizer

from tinyreason.adapters import adapts_embedding, learnt_row
from tinyreason.adapters.lora import Lora
from tinyreason.adapters.new_token import NewToken
from tinyreason.errors import ModelError

ARCHITECTURES = ("Qwen2", "Llama", "Gemma")
"""Two that tie their embeddings, one of which also rescales what they give, and one that does not."""
WAIT = 304
"""What the sandbox's tokenizer calls "Wait"."""


def ids_for(model):
    """Two rows, in one of which the token of the adapter stands."""
    learnt = learnt_row(model)
    return torch.tensor([[300, 12, 40, learnt[0] if learnt else 7, 77, 5], [9, 8, 7, 6, 5, 4]])


def logits(model, ids=None):
    model.eval()
    with torch.no_grad():
        return model(ids_for(model) if ids is None else ids).logits


def sha256(base):
    """Of all weights of a base, under an adapter or not."""
    tensors = {name.replace(".base_layer", ""): t for name, t in base.state_dict().items() if "lora_" not in name}
    return hashlib.sha256(b"".join(tensors[name].numpy().tobytes() for name in sorted(tensors))).hexdigest()


def take_a_step(model):
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.1)
    ids = ids_for(model)
    model(ids, labels=ids).loss.backward()
    optimizer.step()


@pytest.fixture
def attached(tiny, load):
    """A function: architecture, options → the adapter on a fresh tiny model."""

    def attach(architecture="Qwen2", **options):
        model, tokenizer = load(tiny(architecture))
        return NewToken(**options).attach(model, 0, tokenizer)

    return attach


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_one_row_of_the_embedding_differs_after_a_step_and_the_base_does_not(attached, tiny, load, architecture):
    base, model = load(tiny(architecture))[0], attached(architecture)
    head, here = base.get_output_embeddings().weight, sha256(base)

    def rows():
        with torch.no_grad():
            return model.get_input_embeddings()(torch.arange(512)[None])[0]

    before, (token, _) = rows(), learnt_row(model)
    take_a_step(model)
    assert (rows() != before).any(dim=1).nonzero().flatten().tolist() == [token]
    assert sha256(model.get_base_model()) == here
    assert torch.equal(model.get_output_embeddings().weight, head)  # so the model never says it by itself
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 64
    ids = ids_for(model)
    with model.disable_adapter():
        assert torch.equal(logits(model, ids), logits(base, ids))


def test_it_starts_as_the_mean_of_the_words_that_are_one_token_and_the_reference_stays_there(attached, tiny, load):
    base, tokenizer = load(tiny("Qwen2"))
    rows = base.get_input_embeddings().weight
    model = attached()
    start = logits(model)
    assert learnt_row(model)[0] == len(tokenizer)
    assert torch.allclose(learnt_row(model)[1], rows[WAIT], atol=1e-6)
    so, two = (tokenizer(word, add_special_tokens=False)["input_ids"] for word in ("So", "2"))
    assert len(so) == len(two) == 1
    assert torch.allclose(learnt_row(attached(words=("So", "2")))[1], rows[so + two].mean(dim=0), atol=1e-6)
    pieces = tokenizer("Qxz", add_special_tokens=False)["input_ids"]
    assert len(pieces) > 1
    assert torch.allclose(learnt_row(attached(words=("Qxz",)))[1], rows[pieces].mean(dim=0), atol=1e-6)
    take_a_step(model)
    assert not torch.equal(logits(model), start)
    model.set_adapter("ref")
    assert torch.equal(logits(model), start)
    model.set_adapter("default")
    assert [name for name, p in model.named_parameters() if p.requires_grad] == [
        "base_model.model.model.embed_tokens.lora_embedding_B.default"
    ]


def test_plain_peft_loads_it_to_the_same_logits(attached, tiny, load, tmp_path):
    model = attached()
    take_a_step(model)
    NewToken().save(model, tmp_path)
    assert adapts_embedding(tmp_path)
    assert (tmp_path / "adapter_model.safetensors").stat().st_size < 4096  # not the whole embedding
    found = PeftModel.from_pretrained(load(tiny("Qwen2"))[0], str(tmp_path))
    assert torch.equal(logits(found), logits(model))


def test_it_is_restored_and_started_from(attached, tiny, load, tmp_path):
    model, adapter = attached(), NewToken()
    take_a_step(model)
    saved = logits(model)
    adapter.save(model, tmp_path)
    take_a_step(model)
    assert not torch.equal(logits(model), saved)
    adapter.restore(model, tmp_path)
    assert torch.equal(logits(model), saved)
    later = NewToken(start=str(tmp_path))
    base, tokenizer = load(tiny("Qwen2"))
    later.check_model(base, tokenizer)
    started = later.attach(base, 0, tokenizer)
    assert torch.equal(logits(started), saved)
    started.set_adapter("ref")
    assert torch.equal(logits(started), saved)
    with pytest.raises(ModelError, match="does not fit"):
        Lora(rank=1, alpha=1, start=str(tmp_path)).check_model(load(tiny("Qwen2"))[0])


@pytest.mark.parametrize("quantize", ["nf4", "int8"])
def test_a_base_in_few_bits_keeps_its_embedding_and_learns_beside_it(tiny, load, quantize):
    model, tokenizer = load(tiny("Llama"), quantize=quantize)
    model = NewToken().attach(model, 0, tokenizer)
    before = learnt_row(model)[1]
    take_a_step(model)
    assert not torch.equal(learnt_row(model)[1], before)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_it_has_the_parameters_it_declares(attached, tiny, load, architecture):
    model, (base, _) = attached(architecture), load(tiny(architecture))
    layers = NewToken().layers(base)
    assert layers == {"model.embed_tokens": (512, 64)}
    assert list(NewToken().layers_of_shape({}, (512, 64)).values()) == [(512, 64)]
    assert NewToken().trained_parameters(layers) == sum(p.numel() for p in model.parameters() if p.requires_grad)
    held = sum(p.numel() for p in model.parameters() if not p.requires_grad) - sum(p.numel() for p in base.parameters())
    assert NewToken().frozen_parameters(layers) == held


def test_gradients_are_the_same_with_gradient_checkpointing(attached):
    gradients = []
    for checkpointing in (False, True):
        model = attached().train()
        if checkpointing:
            model.enable_input_require_grads()
            model.gradient_checkpointing_enable({"use_reentrant": False})
        ids = ids_for(model)
        model(ids, labels=ids).loss.backward()
        gradients += [p.grad for p in model.parameters() if p.requires_grad]
    assert torch.allclose(*gradients, atol=1e-6) and gradients[0].abs().max() > 0


class TestWhichRowIsReserved:
    """In the order in which they are looked for."""

    def row(self, tokenizer, more=0, **options):
        rows = max(tokenizer.get_vocab().values()) + 1 + more
        return NewToken(**options).reserved_row(tokenizer, rows), rows - more

    def test_one_behind_the_tokenizers_own(self):
        row, behind = self.row(tiny_tokenizer(), more=3)
        assert row == behind

    @pytest.mark.parametrize("name", ["<|reserved_special_token_0|>", "<unused7>", "<｜place▁holder▁no▁0｜>"])
    def test_one_that_is_called_so(self, name):
        tokenizer = tiny_tokenizer(plain=("<think>", name))
        assert self.row(tokenizer)[0] == tokenizer.get_vocab()[name]

    def test_a_byte_that_no_text_has(self):
        tokenizer = tiny_tokenizer()
        row = self.row(tokenizer)[0]
        assert tokenizer.decode([row]) == "\ufffd"
        assert tokenizer("ÿ", add_special_tokens=False)["input_ids"] != [row]

    def test_the_one_that_is_named(self):
        tokenizer = tiny_tokenizer(plain=("<|go|>",))
        assert self.row(tokenizer, more=3, token="<|go|>")[0] == tokenizer.get_vocab()["<|go|>"]
        with pytest.raises(ModelError, match=r"no token '<\|stop\|>'; give adapter.token"):
            self.row(tokenizer, token="<|stop|>")

    def test_where_there_is_none_one_sentence_says_what_to_type(self):
        from tokenizers import Tokenizer, models
        from transformers import PreTrainedTokenizerFast

        words = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0, "ÿ": 1, "b": 2}, "a")))
        with pytest.raises(ModelError, match=r"leaves no row .* unused; name a token .* adapter.token="):
            self.row(words)


def test_a_model_whose_embedding_is_as_long_as_its_tokenizer_has_it_too(load, tmp_path):
    model, tokenizer = load(tiny_model(tmp_path / "m", tokenizer=tiny_tokenizer(plain=("</think>",))))
    assert learnt_row(NewToken().attach(model, 0, tokenizer))[0] == tokenizer.get_vocab()["ÿ"]
