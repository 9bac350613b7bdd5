"""The model and tokenizer that ship with the package."""

import json

import pytest

from tinyreason.sandbox import BASE
from tinyreason.sandbox.measure import measure_base, problems_and_ends
from tinyreason.sandbox.tokenizer import build_tokenizer


def test_the_shipped_tokenizer_is_the_one_the_script_builds(sandbox):
    _, shipped = sandbox
    assert shipped.get_vocab() == build_tokenizer().get_vocab()


@pytest.mark.parametrize(
    "text", ["", " a  b\t\r\n\n", "12345", "é日本🎉\x00", "<think>\n1+1=2\n</think>", "\\boxed{7}"]
)
def test_any_text_encodes_and_decodes_to_itself(text, sandbox):
    _, tokenizer = sandbox
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_published_problems_encode_and_decode_to_themselves(sandbox, shared_data):
    _, tokenizer = sandbox
    for name in ("gsm8k_test.jsonl", "math500.jsonl"):
        texts = [str(v) for line in (shared_data / name).open() for v in json.loads(line).values()]
        for text, ids in zip(texts, tokenizer(texts)["input_ids"], strict=True):
            assert tokenizer.decode(ids) == text


def test_digits_are_single_tokens(sandbox):
    _, tokenizer = sandbox
    assert tokenizer.convert_ids_to_tokens(tokenizer("2048")["input_ids"]) == ["2", "0", "4", "8"]


def test_the_chat_template_opens_the_assistants_turn(sandbox):
    _, tokenizer = sandbox
    chat = [{"role": "user", "content": "1+1?"}]
    text = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    assert text == "<|user|>1+1?<|end|><|assistant|>"


def test_the_model_is_small_and_its_widths_fit_4_bit_blocks(sandbox):
    model, _ = sandbox
    assert sum(p.numel() for p in model.parameters()) <= 2_000_000
    assert (BASE / "model.safetensors").stat().st_size <= 8 * 2**20
    for module in model.modules():
        if type(module).__name__ == "Linear":
            assert module.in_features % 64 == 0
            assert module.out_features % 64 == 0


def test_it_is_hasty_and_incorrect_but_correct_when_made_to_reason(sandbox):
    """The latent skill and the bad habit, on 128 unseen problems; the model card has more."""
    questions = problems_and_ends("chain", 128)
    assert 0.10 <= measure_base(*sandbox, *questions)["correct"] <= 0.40
    assert measure_base(*sandbox, *questions, opening="<think>")["correct"] >= 0.92
