"""A finished run of a GPU's tier is shown on a machine without a card, whose own runs of that tier are refused."""

import json

import pytest
import yaml
from commands import tinyreason
from synthetic_run import write_run

import tinyreason as package
from tinyreason.config.recipe import read_recipe
from tinyreason.errors import ConfigError, ResumeError
from tinyreason.pipeline.sweep import sweep_points, sweep_runs

RECIPE = read_recipe("one_shot_rlvr")


@pytest.fixture(autouse=True)
def no_card(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def finished(folder, config):
    """A folder as a finished run of the config leaves it."""
    tokens, training = {"change": -0.1, "interval": [-0.2, 0.0]}, {"problems": "one", "steps": 4, "last_reward": 1.0}
    write_run(folder, seed=config.seed, tokens=tokens, training=training)
    (folder / "config.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")))
    return folder


def recipe(out, *words):
    return tinyreason("recipe", "one_shot_rlvr", *words, "--out", out)


@pytest.mark.parametrize("words", [("--on", "t4"), ()])
def test_the_same_command_shows_the_run(words, tmp_path):
    out = finished(tmp_path / "run", RECIPE.resolve("t4"))
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    done = recipe(out, *words)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("this run is finished, and this is its result; --fresh starts over in ")
    assert "\ngain " in done.stdout and "\nWhat next:" in done.stdout
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_what_is_not_finished_or_is_to_begin_again_needs_its_card(tmp_path):
    out = finished(tmp_path / "run", RECIPE.resolve("t4"))
    for words in (("--fresh", "--on", "t4"), ("--controls",), ("--verify-resume",)):
        refused = recipe(out, *words)
        assert refused.exit_code == 2 and "tier t4 needs a CUDA GPU and none was found" in refused.stderr, words
    (out / "result.json").unlink()
    refused = recipe(out)
    assert refused.exit_code == 2 and "tier t4 needs a CUDA GPU and none was found" in refused.stderr


def test_another_config_is_not_the_same_command(tmp_path):
    out = finished(tmp_path / "run", RECIPE.resolve("t4"))
    refused = recipe(out, "train.max_steps=9")
    assert refused.exit_code == 2 and "was begun with another config: train.max_steps is" in refused.stderr
    with pytest.raises(ResumeError, match="another config"):
        package.run(RECIPE.resolve("t4", ("train.max_steps=9",)), out)


def test_all_seeds_are_shown_where_all_are_finished(tmp_path):
    out = tmp_path / "seeds"
    for seed in (0, 1):
        finished(out / f"seed{seed}", RECIPE.resolve("t4", seed=seed))
    done = recipe(out, "--seeds", "2")
    assert done.exit_code == 0, done.output
    assert "over 2 seeds" in done.stdout and json.loads((out / "seeds.json").read_text())["asked"] == [0, 1]
    refused = recipe(out, "--seeds", "3")
    assert refused.exit_code == 2 and "tier t4 needs a CUDA GPU" in refused.stderr


def test_python_shows_it_too(tmp_path):
    config = RECIPE.resolve("t4")
    out = finished(tmp_path / "run", config)
    assert package.run(config, out).gain.points == json.loads((out / "result.json").read_text())["gain"]["points"]
    with pytest.raises(ConfigError, match="tier t4 needs a CUDA GPU"):
        package.run(config, out, fresh=True)


def test_a_sweep_whose_runs_are_all_finished_is_shown(tmp_path):
    plan, out = read_recipe("length_grpo"), tmp_path / "sweep"
    runs = sweep_runs(plan, "t4", sweep_points(plan, "t4", "l1_max", ()), (), [0], out)
    for one in runs:
        finished(one.path, one.config)
    line = ("sweep", "length_grpo", "--rewards", "l1_max", "--on", "t4", "--out", out)
    done = tinyreason(*line)
    assert done.exit_code == 0 and "| l1_max |" in done.stdout, done.output
    (runs[-1].path / "result.json").unlink()
    refused = tinyreason(*line)
    assert refused.exit_code == 2 and "tier t4 needs a CUDA GPU" in refused.stderr
