"""The card of an adapter: of a base in a folder it has the folder's name alone."""

import json

import pytest

from tests.exporting.conftest import changed_json, copied
from tinyreason.config.model import Model
from tinyreason.config.recipe import read_recipe
from tinyreason.exporting.card import adapter_card
from tinyreason.exporting.licences import licence_of_base
from tinyreason.inference.model_reference import read_run_config
from tinyreason.runs.result import read_result


@pytest.mark.parametrize(
    ("tier", "folder", "base", "base_line"),
    [
        ("sandbox", None, "sandbox", None),
        ("t4", None, "Qwen/Qwen2.5-Math-1.5B", "base_model: Qwen/Qwen2.5-Math-1.5B"),
        ("sandbox", "my_model", "my_model", None),
    ],
)
def test_it_says_what_the_adapter_is_without_a_path(tmp_path, tier, folder, base, base_line):
    if folder:
        (tmp_path / folder).mkdir()
    overrides = (f"model.name={tmp_path / folder}",) if folder else ()
    card = adapter_card(read_recipe("rlvr").resolve(tier, overrides, seed=5))
    assert f" on {base}, trained with tinyreason: recipe `rlvr`, tier `{tier}`, seed 5." in card
    assert (f"\n{base_line}\n" in card) if base_line else ("base_model:" not in card)
    assert "library_name: peft\n" in card and str(tmp_path) not in card


@pytest.fixture
def told(run_folder, tmp_path):
    """A copy of the run, typed with a path of this machine."""
    folder = copied(run_folder, tmp_path / "told")
    line = f"tinyreason recipe reasoning_sft --out {tmp_path}/runs/x model.name={tmp_path}/mine train.max_steps=3"
    changed_json(folder / "result.json", command=line)
    return folder


def test_the_card_of_a_finished_run_says_what_was_measured_and_on_what(run_folder):
    card, result = (run_folder / "adapter" / "README.md").read_text(), read_result(run_folder)
    start = json.loads((run_folder / "checkpoints" / "start.json").read_text())
    for said in (
        f"Verdict: **{result.verdict}**",
        f"{result.after.accuracy:.1%} | {result.gain.in_words} |",
        f"| a stricter one, unseen in training | {result.second_opinion.accuracy[0]:.1%}",
        start["base_sha256"],
        start["data_sha256"],
        *start["splits_sha256"].values(),
        "| prompt | `plain`: the problem as it is |",
        "| chat template | the tokenizer's own |",
        "## What it was not tested on",
        "| licence of the base | apache-2.0 |",
        "AutoPeftModelForCausalLM.from_pretrained",
    ):
        assert said in card, said
    assert str(run_folder.parent) not in card


def test_the_command_and_the_overrides_are_told_without_paths(told, tmp_path):
    card = adapter_card(read_run_config(told), told)
    assert "| overrides | model.name=mine train.max_steps=3 |" in card
    assert "--out x model.name=mine" in card and str(tmp_path) not in card


def test_the_six_lines_load_it(run_folder, monkeypatch):
    monkeypatch.chdir(run_folder)
    code = (run_folder / "adapter" / "README.md").read_text().partition("```python\n")[2].partition("```")[0]
    assert len(code.strip().splitlines()) == 8  # with the two imports
    exec(code.replace("max_new_tokens=24", "max_new_tokens=2"), {})


@pytest.mark.parametrize(
    ("base", "licence"),
    [("sandbox", "apache-2.0"), ("Qwen/Qwen2.5-Math-1.5B", "apache-2.0"), ("Qwen/Qwen2.5-3B", None), ("own", "mit")],
)
def test_a_licence_is_said_where_it_is_known(tmp_path, monkeypatch, base, licence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "README.md").write_text("---\nlanguage: en\nlicense: mit\n---\n# Own\n")
    assert licence_of_base(Model(name=base)) == licence
