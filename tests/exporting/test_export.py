"""What `tinyreason export` writes is what the adapter is, and the gate finds where it is not."""

import json

import pytest
import torch
from tiny_models import tiny_model

from tests.exporting.conftest import changed_json, copied, differing, typed
from tinyreason.adapters import merge_adapter
from tinyreason.config.model import Model
from tinyreason.config.recipe import read_recipe
from tinyreason.evaluation.benchmark_run import settle
from tinyreason.evaluation.leaks import sources_of
from tinyreason.exporting import request
from tinyreason.inference.chat import Talker
from tinyreason.inference.model_reference import ModelReference, read_model_reference
from tinyreason.sandbox import BASE

GGUF_OF = {"gguf": "tried-f16.gguf", "q8_0": "tried-q8_0.gguf"}


def tensors_of(folder):
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def save_tensors(folder, tensors):
    from safetensors.torch import save_file

    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def test_a_merged_folder_answers_as_the_adapter_does_by_transformers_and_peft_alone(exported, run_folder):
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = exported("merged")
    live = AutoPeftModelForCausalLM.from_pretrained(run_folder / "adapter").eval()
    merged, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    chat = [{"role": "user", "content": "Ann has 3 pens and buys 4. How many?"}]
    ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.no_grad():
        one, other = live(**ids).logits, merged(**ids).logits
        with live.disable_adapter():
            base = live(**ids).logits
    assert (one - other).abs().max() < 1e-4 * one.abs().max() < (one - base).abs().max()


@pytest.mark.parametrize(
    "words",
    [
        ("merged", "--dtype", "bfloat16"),
        ("gguf",),
        ("gguf", "--type", "q8_0"),
        ("gguf", "--adapter-only"),
        ("modelfile",),
        ("vllm",),
    ],
    ids=" ".join,
)
def test_every_form_passes_its_gate_and_names_no_path(exported, run_folder, words):
    folder = exported(*words)
    texts = [file.read_text() for file in folder.iterdir() if file.is_file() and file.suffix in (".json", ".md", "")]
    assert len(texts) >= 2 and not any(str(run_folder.parent) in text for text in texts)


def test_the_runs_own_problems_are_asked_again(exported, run_folder):
    done = typed("export", run_folder, "merged", "--to", exported("merged"), "--problems", 12, "--check")
    assert done.exit_code == 0 and "of 12 problems, the adapter" in done.output, done.output


def test_an_export_to_a_place_that_is_taken_is_refused(exported, run_folder):
    done = typed("export", run_folder, "merged", "--to", exported("merged"))
    assert (done.exit_code, done.output.count("\n")) == (2, 3) and "is there already" in done.output


def wrong_template(folder):
    file = folder / "chat_template.jinja"
    file.write_text(file.read_text().replace("<|assistant|>", "<|user|>"))


def scale_twice(folder):
    """α/r is 2: what the adapter changes is there twice."""
    base, tensors = tensors_of(BASE), tensors_of(folder)
    save_tensors(folder, {name: tensor + (tensor - base[name]) for name, tensor in tensors.items()})


def without_adapter(folder):
    save_tensors(folder, tensors_of(BASE))


def drop_tensor(folder):
    tensors = tensors_of(folder)
    del tensors["model.layers.1.mlp.down_proj.weight"]
    save_tensors(folder, tensors)


def other_end(folder):
    changed_json(folder / "generation_config.json", eos_token_id=[1, 7])


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (wrong_template, {"template", "prompts"}),
        (scale_twice, {"logits", "weights", "change"}),
        (without_adapter, {"logits", "weights", "change"}),
        (drop_tensor, {"logits", "weights"}),
        (other_end, {"end"}),
    ],
)
def test_a_planted_fault_of_a_merged_folder_fails_the_gate_and_nothing_is_deleted(
    exported, run_folder, tmp_path, damage, found
):
    folder = copied(exported("merged"), tmp_path / "damaged")
    damage(folder)
    there = {file.name: file.read_bytes() for file in folder.iterdir()}
    done = typed("export", run_folder, "merged", "--to", folder, "--problems", 0, "--check")
    assert done.exit_code == 1 and differing(done) >= found, done.output
    assert all(name in done.output.splitlines()[-1] for name in found)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == there


@pytest.mark.parametrize("kind", ["merged", "gguf"])
def test_an_exporter_that_applies_the_scale_twice_fails_its_own_gate(run_folder, tmp_path, monkeypatch, kind):
    def merge_twice(model, folder):
        for layer in model.modules():
            if hasattr(layer, "lora_A"):
                layer.scaling["default"] **= 2
        return merge_adapter(model, folder)

    monkeypatch.setattr(request, "merge_adapter", merge_twice)
    done = typed("export", run_folder, kind, "--to", tmp_path / "e", "--problems", 0)
    assert done.exit_code == 1 and differing(done) >= {"merge", "logits"}, done.output


def rewritten(file, to, change):
    """Writes a GGUF file again with other tensors: `change(name, data)`, None = dropped."""
    import gguf

    reader = gguf.GGUFReader(file)
    writer = gguf.GGUFWriter(str(to), reader.fields["general.architecture"].contents())
    for name, value in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            sub = value.types[1] if len(value.types) > 1 else None
            writer.add_key_value(name, value.contents(), value.types[0], sub_type=sub)
    for tensor in reader.tensors:
        if (data := change(tensor.name, tensor.data)) is not None:
            writer.add_tensor(tensor.name, data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize(
    ("words", "name", "change", "found"),
    [
        (("gguf",), "blk.1.ffn_down.weight", lambda data: None, {"weights"}),
        (("gguf",), "blk.0.attn_q.weight", lambda data: data[::-1], {"weights"}),
        (("gguf", "--adapter-only"), "blk.1.ffn_down.weight.lora_b", lambda data: None, {"tensors"}),
        (("gguf", "--adapter-only"), "blk.0.attn_q.weight.lora_b", lambda data: 2 * data, {"change"}),
    ],
)
def test_a_planted_fault_of_a_gguf_file_fails_the_gate(exported, run_folder, tmp_path, words, name, change, found):
    folder = copied(exported(*words), tmp_path / "damaged")
    (file,) = folder.glob("*.gguf")
    file.rename(tmp_path / "whole.gguf")
    rewritten(tmp_path / "whole.gguf", file, lambda other, data: change(data) if other == name else data)
    done = typed("export", run_folder, *words, "--to", folder, "--problems", 0, "--check")
    assert done.exit_code == 1 and differing(done) >= found, done.output


@pytest.mark.parametrize("words", [("merged",), ("gguf",)])
def test_an_export_remembers_how_its_run_asked(exported, run_folder, words):
    folder = exported(*words)
    place = folder if words == ("merged",) else folder / "tried-f16.gguf"
    reference, run = read_model_reference(str(place)), read_model_reference(str(run_folder))
    asked = {"samples": 2, "seed": 0}
    assert settle(reference, asked) == settle(run, asked)
    talkers = [Talker.load(one, None, None) for one in (reference, run)]
    settings = [(one.prompt, one.temperature, one.max_completion_tokens, one.template_options) for one in talkers]
    assert settings[0] == settings[1] == ("plain", 1.0, 24, {})
    ((problems, is_made, unread),) = sources_of(reference)
    assert (len(problems), is_made, unread) == (8, True, None)
    assert not list(sources_of(ModelReference("sandbox", Model(name="sandbox"), run=run.run)))


def test_a_merged_folder_evaluates_without_options(exported, tmp_path):
    words = ("--bench", "chain", "--problems", 4, "--samples", 1, "--no-template-check", "--out", tmp_path / "e")
    done = typed("eval", exported("merged"), *words)
    assert done.exit_code == 0, done.output
    settings = json.loads((tmp_path / "e" / "settings.json").read_text())["sampling"]
    assert (settings["prompt"], settings["max_completion_tokens"]) == ("plain", 24)


def test_what_is_not_an_adapter_or_cannot_be_done_is_one_sentence(run_folder, tmp_path):
    dora = copied(run_folder / "adapter", tmp_path / "dora")
    changed_json(dora / "adapter_config.json", use_dora=True)
    for words, said in (
        (("export", "sandbox", "merged"), "no adapter to export"),
        (("export", run_folder, "merged", "--adapter-only"), "--adapter-only is of gguf"),
        (("export", run_folder, "gguf", "--dtype", "float32"), "--dtype is of merged"),
        (("export", dora, "vllm"), "is DoRA"),
        (("export", dora, "gguf", "--adapter-only"), "is DoRA"),
        (("export", run_folder, "merged", "--check", "--to", tmp_path / "none"), "no export to check"),
    ):
        done = typed(*words)
        assert done.exit_code == 2 and said in done.output.splitlines()[-1], done.output


def test_a_family_that_gguf_is_not_written_of_is_named(tmp_path, load):
    model, _ = load(tiny_model(tmp_path / "phi", "Phi3"))
    adapter = read_recipe("rlvr").resolve("sandbox").adapter
    adapter.attach(model, 0).save_pretrained(tmp_path / "adapter", selected_adapters=["default"])
    for kind in ("gguf", "modelfile"):
        done = typed("export", tmp_path / "adapter", kind, "--to", tmp_path / kind)
        assert done.exit_code == 2 and "the phi3 family" in done.output.splitlines()[-1], done.output
