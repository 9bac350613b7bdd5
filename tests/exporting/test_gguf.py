"""A GGUF file holds the model, its tokenizer and its template, of each family that it is written of."""

import json

import pytest
import torch
from tiny_models import CHATML, tiny_model, tiny_tokenizer

from tinyreason.errors import ModelError
from tinyreason.exporting.gguf import check_family, gguf_template, write_gguf
from tinyreason.exporting.modelfile import ollama_template, template_turns, write_modelfile
from tinyreason.exporting.vocabulary import CONTROL, USER_DEFINED, known_pre_tokenizer, read_vocabulary
from tinyreason.sandbox.tokenizer import CHAT_TEMPLATE

TEXT = "Ann's brother has 12 pens (or 13?).\n\nSo x^2 = 4,\n  \\boxed{2} <think>é 東京</think>"
QWEN3 = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32}


@pytest.mark.parametrize(
    ("architecture", "more"),
    [("Llama", {"num_attention_heads": 4, "num_key_value_heads": 2}), ("Qwen2", {}), ("Qwen3", QWEN3)],
)
@pytest.mark.parametrize("tied", [True, False])
def test_every_family_is_read_back_as_it_was(load, tmp_path, architecture, more, tied):
    model, tokenizer = load(tiny_model(tmp_path / "m", architecture, tie_word_embeddings=tied, **more))
    write_gguf(model, tokenizer, "f16", "tiny", tmp_path / "tiny.gguf")
    found, its_tokenizer = load(tmp_path / "tiny.gguf")
    ids = tokenizer(TEXT)["input_ids"]
    assert its_tokenizer(TEXT)["input_ids"] == ids and len(its_tokenizer) == len(tokenizer)
    with torch.no_grad():
        one, other = (each(torch.tensor([ids])).logits for each in (model, found))
    assert (one - other).abs().max() < 2e-3 * one.abs().max()
    assert its_tokenizer.chat_template == CHATML
    assert found.generation_config.eos_token_id == model.generation_config.eos_token_id


def test_the_sandboxs_tokens_are_kept_whole_by_a_pre_tokenizer_that_llama_cpp_knows(sandbox):
    model, tokenizer = sandbox
    found = read_vocabulary(tokenizer, model.config.vocab_size, "qwen3")
    kinds = {found.tokens[number]: kind for number, kind in enumerate(found.kinds)}
    assert found.pre == "qwen2" and len(found.tokens) == 512
    assert {token for token, kind in kinds.items() if kind == USER_DEFINED} == {"\\boxed{", "<think>", "</think>"}
    assert kinds["<|end|>"] == CONTROL


LEARNED = ["def f(x):\n    return 123 + 123\n\n  y = [123, 123]; 'tis 123 (and 123).\n    return 123"] * 20


def pre_tokenized(*parts):
    """A byte-level tokenizer that learned its merges from text split so, and the same as a JSON object."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    backend = Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.pre_tokenizer = pre_tokenizers.Sequence([*parts, byte_level])
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    backend.train_from_iterator(LEARNED, trainers.BpeTrainer(vocab_size=320, initial_alphabet=alphabet))
    return backend, json.loads(backend.to_str())


def test_the_pre_tokenizer_is_told_by_what_it_does():
    from tokenizers import pre_tokenizers

    assert known_pre_tokenizer(*pre_tokenized(), "tiny") == ("gpt-2", {})
    digits = pre_tokenizers.Digits(individual_digits=True)
    pre, pieces = known_pre_tokenizer(*pre_tokenized(digits), "tiny")
    assert pre in ("gpt-2", "smollm") and not pieces  # without merges of digits both do the same


def test_a_tokenizer_that_splits_as_no_known_one_is_refused_with_its_family():
    from tokenizers import pre_tokenizers

    odd = pre_tokenizers.Split("r", "isolated")
    with pytest.raises(ModelError, match="of the tiny family with this tokenizer cannot be made"):
        known_pre_tokenizer(*pre_tokenized(odd), "tiny")


@pytest.mark.parametrize(
    ("architecture", "more", "said"),
    [
        ("Gemma", {}, "the gemma family;"),
        ("Llama", {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}}, "rope_type linear"),
        ("Llama", {"attention_bias": True}, "llama family with attention_bias"),
    ],
)
def test_what_a_family_cannot_do_is_said_with_its_name(architecture, more, said):
    import transformers

    with pytest.raises(ModelError, match=said):
        check_family(getattr(transformers, f"{architecture}Config")(**more))


def test_the_tags_that_only_transformers_knows_are_left_out_of_a_template():
    assert "generation %}" not in gguf_template(CHAT_TEMPLATE).replace("add_generation_prompt %}", "")
    assert gguf_template(CHATML) == CHATML


DEFAULT_SYSTEM = "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nBe brief.<|im_end|>\n{% endif %}" + CHATML


def test_ollamas_template_is_the_models_with_what_the_prompt_adds(sandbox, tmp_path):
    model, tokenizer = sandbox
    assert ollama_template(template_turns(tokenizer, {}, "qwen3"), "boxed").startswith(
        '{{ range $i, $_ := .Messages }}{{ if eq .Role "system" }}<|system|>{{ .Content }}<|end|>'
        '{{ else if eq .Role "user" }}<|user|>{{ .Content }}{{ if eq (len (slice $.Messages $i)) 1 }}\nReason step'
    )
    again = r"1 }}\nRead the question again: {{ .Content }}\nReason step".replace(r"\n", "\n")
    assert again in ollama_template(template_turns(tokenizer, {}, "qwen3"), "re2")
    turns = template_turns(tiny_tokenizer(template=DEFAULT_SYSTEM), {}, "llama")
    assert turns.lead == "<|im_start|>system\nBe brief.<|im_end|>\n"
    assert ollama_template(turns, "plain").startswith("{{ if not .System }}<|im_start|>system\nBe brief.")
    write_modelfile(model, tokenizer, None, "x.gguf", tmp_path / "Modelfile")
    lines = (tmp_path / "Modelfile").read_text().splitlines()
    assert lines[0] == "FROM ./x.gguf" and 'PARAMETER stop "<|end|>"' in lines


def test_a_template_that_does_more_than_turns_is_refused_with_the_family():
    strict = "{% if messages|length > 1 %}{{ raise_exception('one turn') }}{% endif %}" + CHATML
    with pytest.raises(ModelError, match="chat template of this llama model"):
        template_turns(tiny_tokenizer(template=strict), {}, "llama")
