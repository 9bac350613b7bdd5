import shutil

import pytest

from tinyreason.errors import ModelError
from tinyreason.models.load import name_of_base
from tinyreason.sandbox import BASE


def test_the_sandbox_model_loads_in_float32_ready_to_evaluate(sandbox):
    model, tokenizer = sandbox
    assert str(model.dtype) == "torch.float32"
    assert not model.training
    assert tokenizer.padding_side == "left"


def test_a_local_copy_is_the_same_model(sandbox, load, tmp_path):
    import torch

    shutil.copytree(BASE, tmp_path / "copy")
    copy, _ = load(tmp_path / "copy")
    ids = torch.arange(20)[None]
    assert torch.equal(copy(ids).logits, sandbox[0](ids).logits)


def test_a_base_in_four_bits_answers_in_float32_and_is_the_same_afterwards(load):
    """bitsandbytes would repack it for bfloat16 at the first forward pass, on CPUs that have that."""
    import torch

    model, _ = load(quantize="nf4")
    ids = torch.arange(20)[None]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        quiet = model(ids).logits
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(model(ids).logits.detach(), quiet)


@pytest.mark.parametrize("architecture", ["Llama", "Mistral", "Qwen2", "Gemma", "Phi3"])
def test_other_architectures_load_from_a_local_folder(architecture, sandbox, load, tmp_path):
    import transformers

    shape = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    ends = {"vocab_size": 512, "pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 1}
    config = getattr(transformers, f"{architecture}Config")(**shape, **ends, num_key_value_heads=1)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    sandbox[1].save_pretrained(tmp_path)
    model, _ = load(tmp_path)
    assert type(model).__name__ == f"{architecture}ForCausalLM"


@pytest.mark.parametrize(
    ("missing", "named"),
    [("config.json", "config.json"), ("model.safetensors", "weights"), ("tokenizer.json", "tokenizer")],
)
def test_a_folder_that_lacks_a_part_is_refused_by_that_parts_name(missing, named, load, tmp_path):
    shutil.copytree(BASE, tmp_path / "copy")
    (tmp_path / "copy" / missing).unlink()
    with pytest.raises(ModelError, match=named):
        load(tmp_path / "copy")


def test_weights_that_are_no_weights_are_refused_in_one_sentence(load, tmp_path):
    shutil.copytree(BASE, tmp_path / "copy")
    (tmp_path / "copy" / "model.safetensors").write_text("not weights")
    with pytest.raises(ModelError, match=r"cannot load model\.name"):
        load(tmp_path / "copy")


def test_a_tokenizer_without_a_chat_template_is_refused(load, tmp_path):
    shutil.copytree(BASE, tmp_path / "copy")
    (tmp_path / "copy" / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match="chat template"):
        load(tmp_path / "copy")


def test_a_hub_that_cannot_be_reached_is_one_sentence(load):
    with pytest.raises(ModelError, match="hub reachable") as caught:
        load("nobody/no-such-model")
    assert "\n" not in str(caught.value)


def test_the_sandbox_of_another_checkout_is_the_sandbox_and_a_copy_with_other_weights_is_not(tmp_path):
    elsewhere = tmp_path / "tinyreason" / "sandbox" / "base"
    assert name_of_base(str(elsewhere)) == "sandbox"  # its checkout is gone
    shutil.copytree(BASE, elsewhere)
    assert name_of_base(str(elsewhere)) == name_of_base(str(BASE)) == "sandbox"
    with open(elsewhere / "model.safetensors", "r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x7f")
    assert name_of_base(str(elsewhere)) == str(elsewhere)
