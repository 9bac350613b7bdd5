"""A base in a GGUF file: loaded, trained on, hashed, planned, and its adapter loaded again."""

import json
import shutil
from pathlib import Path

import numpy
import pytest
from click.testing import CliRunner
from sessions import context_of
from tiny_models import tiny_gguf, tiny_model

from tinyreason.cli.main import main
from tinyreason.config.recipe import read_recipe
from tinyreason.config.run_config import Model
from tinyreason.errors import ConfigError, ResumeError
from tinyreason.inference.model_reference import read_model_reference
from tinyreason.models.gguf import reading_once
from tinyreason.pipeline.dry_run import dry_run_config
from tinyreason.pipeline.run import run
from tinyreason.planning.model_shape import read_shape

RUN = ("recipe", "rlvr", "--on", "sandbox")
QUICK = (
    *("train.max_steps=2", "train.rollouts_per_step=4", "train.group_size=2", "train.max_completion_tokens=6"),
    *("data.size=2", "evaluation.problems=2", "evaluation.samples=1", "evaluation.max_completion_tokens=6"),
    *("evaluation.template_check=false", "validation=null"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder `float` with a random model, and beside it the same in a GGUF file."""
    place = tmp_path_factory.mktemp("gguf")
    tiny_gguf(tiny_model(place / "float"), place / "tiny.gguf")
    return place


@pytest.fixture
def file(folder, tmp_path):
    """A copy of the GGUF file, alone in its folder."""
    return Path(shutil.copy(folder / "tiny.gguf", tmp_path / "tiny.gguf"))


def config_of(*overrides):
    return read_recipe("rlvr").resolve("sandbox", (*QUICK, *overrides))


def test_a_gguf_file_is_the_model_that_it_was_written_from(folder, load):
    import torch

    ids = torch.arange(20)[None]
    (twin, _), (model, tokenizer) = load(folder / "float"), load(folder / "tiny.gguf")
    assert (model(ids).logits - twin(ids).logits).abs().max() < 0.05 * twin(ids).logits.abs().max()
    assert (str(model.dtype), tokenizer.padding_side, tokenizer.eos_token) == ("torch.float32", "left", "<|im_end|>")
    named, _ = load(folder, gguf_file="tiny.gguf")
    assert torch.equal(named(ids).logits, model(ids).logits)


def test_a_run_on_a_gguf_file_trains_and_its_adapter_is_loaded_again(file, tmp_path):
    from peft import AutoPeftModelForCausalLM

    config, out = config_of(f"model.name={file}"), tmp_path / "run"
    run(config, out, context_of(config))
    adapter = out / "adapter"
    assert json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"] == str(file.parent)
    for target in (out, adapter):
        done = CliRunner().invoke(main, ["chat", str(target), "--max-completion-tokens", "4"], input="1 + 1?\n")
        assert done.exit_code == 0, done.output
    words = ["--bench", "chain", "--problems", "2", "--samples", "1", "--max-tokens", "4", "--no-template-check"]
    done = CliRunner().invoke(main, ["eval", str(adapter), *words, "--against", "base", "--out", str(tmp_path / "e")])
    assert done.exit_code == 0, done.output
    assert f'from_pretrained("adapter", gguf_file={file.name!r})' in (adapter / "README.md").read_text()
    model = AutoPeftModelForCausalLM.from_pretrained(adapter, gguf_file=file.name)
    assert any("lora_B" in name for name, _ in model.named_parameters())


def test_of_several_gguf_files_in_a_folder_an_adapter_remembers_its_own(file, tmp_path):
    shutil.copy(file, file.with_name("another.gguf"))
    config = config_of(f"model.name={file.parent}", f"model.gguf_file={file.name}", "train.max_steps=1")
    run(config, tmp_path / "run", context_of(config))
    assert read_model_reference(str(tmp_path / "run" / "adapter")).model.gguf_file == file.name


def test_a_file_is_read_once_and_says_what_ggufs_own_reader_says(file):
    import gguf

    theirs = gguf.GGUFReader
    with reading_once(), reading_once():
        ours = gguf.GGUFReader(file)
        assert gguf.GGUFReader(file) is ours
    assert gguf.GGUFReader is theirs
    plain = theirs(file)
    assert [field.contents() for field in ours.fields.values()] == [field.contents() for field in plain.fields.values()]
    assert all(numpy.array_equal(one.data, other.data) for one, other in zip(ours.tensors, plain.tensors, strict=True))


def test_another_gguf_file_is_another_base(file, tmp_path):
    config, out = config_of(f"model.name={file}"), tmp_path / "run"
    run(config, out, context_of(config))
    (out / "result.json").unlink()
    with open(file, "r+b") as opened:
        opened.seek(-64, 2)
        opened.write(bytes(64))
    with pytest.raises(ResumeError, match="another base model"):
        run(config, out, context_of(config))


def test_a_base_that_has_moved_is_named_with_base(file, tmp_path):
    config, out = config_of(f"model.name={file}", "train.max_steps=1"), tmp_path / "run"
    run(config, out, context_of(config))
    moved = file.rename(file.with_name("moved.gguf"))
    for target in (out, out / "adapter"):
        done = CliRunner().invoke(main, ["chat", str(target)], input="1 + 1?\n")
        assert (done.exit_code, done.output.count("\n")) == (2, 1), done.output
        words = ["chat", str(target), "--base", str(moved), "--max-completion-tokens", "4"]
        assert CliRunner().invoke(main, words, input="1 + 1?\n").exit_code == 0


def test_a_plan_knows_the_shape_of_a_gguf_file(folder):
    names = (str(folder / "float"), str(folder / "tiny.gguf"))
    first, second = (read_shape(Model(name=name)) for name in names)
    assert first == second
    done = CliRunner().invoke(main, ["plan", "rlvr", f"model.name={names[1]}", "--on", "sandbox"])
    assert done.exit_code == 0, done.output


def test_a_dry_run_of_a_gguf_base_takes_the_sandboxs_model(folder):
    config = dry_run_config(read_recipe("rlvr"), "sandbox", (f"model.name={folder}", "model.gguf_file=tiny.gguf"))
    assert config.model == Model(name="sandbox")


def broken(file, how):
    """Damages a GGUF file in one of the ways that files are damaged."""
    data = file.read_bytes()
    changed = {
        "text": b"not a model at all",
        "no tensors": data[:200],
        "half": data[: len(data) // 2],
        "its architecture": data.replace(b"qwen2", b"qwxn2"),
    }
    file.write_bytes(changed[how])


@pytest.mark.parametrize("how", ["text", "no tensors", "half", "its architecture"])
def test_a_gguf_file_that_cannot_be_read_is_one_sentence(file, how):
    broken(file, how)
    for words in (
        ["chat", str(file)],
        ["recipe", "rlvr", "--on", "sandbox", f"model.name={file}", *QUICK, "--out", f"{file}-run"],
    ):
        done = CliRunner().invoke(main, [*words], input="1 + 1?\n")
        lines = [line for line in done.output.splitlines() if line.startswith("tinyreason: ")]
        assert (done.exit_code, len(lines)) == (2, 1), done.output
        assert "GGUF" in lines[0] and file.name in lines[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model.name={}/other.gguf"], "there is no file"),
        (["model.name={}", "model.gguf_file=other.gguf"], "the folder has tiny.gguf"),
        (["model.name={}", "model.gguf_file=../../etc/passwd"], "a file in that folder"),
    ],
)
def test_a_gguf_file_that_is_not_there_is_one_sentence(file, words, said, tmp_path):
    words = [word.format(file.parent) for word in words]
    done = CliRunner().invoke(main, [*RUN, *words, *QUICK, "--out", str(tmp_path / "run")])
    assert (done.exit_code, done.output.count("\n")) == (2, 1), done.output
    assert said in done.output


def test_a_gguf_file_of_a_hub_that_cannot_be_reached_is_one_sentence_about_the_hub(tmp_path):
    words = ["plan", "rlvr", "model.name=nobody/no-such-GGUF", "model.gguf_file=a.gguf", "--on", "t4"]
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, done.output.count("\n")) == (2, 1), done.output
    assert "hub reachable" in done.output


@pytest.mark.parametrize("option", ["model.quantize=nf4", "model.gguf_file=x.gguf"])
def test_what_a_gguf_file_does_not_go_with_is_refused(folder, option):
    with pytest.raises(ConfigError, match=option.split("=")[0]):
        config_of(f"model.name={folder / 'tiny.gguf'}", option)
