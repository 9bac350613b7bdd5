"""A recipe of one's own that extends another: its values are laid over each tier of it, and nothing else changes."""

import json

import pytest
from commands import complaint, printed

import tinyreason
from tinyreason.config.recipe import read_recipe
from tinyreason.errors import ConfigError
from tinyreason.pipeline.dry_run import dry_run_config


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write(folder):
    """Writes a recipe's file, and returns its name."""

    def write_file(text, name="mine.yaml"):
        (folder / name).write_text(text)
        return name

    return write_file


def changed(base, tier, *overrides):
    """What the same values give when they are typed."""
    config = read_recipe(base).resolve(tier, overrides)
    return config.model_copy(update={"recipe": "mine", "expected": None, "measured": "not yet"})


def test_a_file_that_only_extends_is_the_recipe_without_its_promises(write):
    mine = read_recipe(write("extends: one_shot_rlvr\n"))
    assert list(mine.tiers) == list(read_recipe("one_shot_rlvr").tiers)
    for tier in mine.tiers:
        assert mine.resolve(tier) == changed("one_shot_rlvr", tier)


def test_values_are_laid_over_every_tier_and_a_tiers_own_over_those(write):
    mine = read_recipe(write("extends: rlvr\ntrain: {max_steps: 7, kl: 0.5}\ntiers:\n  t4: {train: {max_steps: 9}}\n"))
    assert mine.resolve("sandbox") == changed("rlvr", "sandbox", "train.max_steps=7", "train.kl=0.5")
    assert mine.resolve("t4") == changed("rlvr", "t4", "train.max_steps=9", "train.kl=0.5")
    assert mine.resolve("8gb") == changed("rlvr", "8gb", "train.max_steps=9", "train.kl=0.5")  # as t4


@pytest.mark.parametrize(
    ("base", "text", "overrides"),
    [
        ("rlvr", "adapter: {kind: lora_xs}", ["adapter.kind=lora_xs"]),
        ("rlvr", "data: {file: mine.jsonl}", ["data.file=mine.jsonl"]),
        ("one_shot_rlvr", "data: {id: chain/train/3}", ["data.id=chain/train/3"]),
        ("one_shot_rlvr", "data: {kind: problems, file: a.jsonl}", ["data={kind: problems, file: a.jsonl}"]),
        ("rlvr", "rewards: [{kind: format}]", ["rewards=[{kind: format}]"]),
        ("rlvr", "validation: null", ["validation=null"]),
        ("rlvr", "evaluation: {data: {file: a.jsonl}}", ["evaluation.data.file=a.jsonl"]),
        ("rlvr", "train:  # nothing yet\ndata:\nabout:", ["train.max_steps=80"]),
    ],
)
def test_what_the_file_says_means_what_it_means_when_it_is_typed(write, base, text, overrides):
    mine = read_recipe(write(f"extends: {base}\n{text}\n"))
    assert mine.resolve("sandbox") == changed(base, "sandbox", *overrides)


def test_a_file_may_extend_a_file_and_say_what_it_is_and_promises(write):
    write("extends: rlvr\nabout: the first\ntrain: {max_steps: 7, kl: 0.5}\n", "first.yaml")
    mine = write("extends: first.yaml\nabout: the second\ntrain: {max_steps: 8}\ntiers: {sandbox: {measured: well}}\n")
    config = read_recipe(mine).resolve("sandbox")
    assert (config.recipe, config.about, config.train.max_steps, config.train.kl) == ("mine", "the second", 8, 0.5)
    assert config.paper == read_recipe("rlvr").resolve("sandbox").paper and config.measured == "well"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("extends: rlrv\n", "mine.yaml extends 'rlrv': no recipe 'rlrv'; did you mean 'rlvr'?"),
        ("extends: none.yaml\n", "cannot read recipe none.yaml"),
        ("extends: mine.yaml\n", "mine.yaml extends mine.yaml: that is a circle"),
        ("extends: other.yaml\n", "mine.yaml extends other.yaml extends mine.yaml: that is a circle"),
        ("extends: [rlvr]\n", "is neither a recipe's name nor the path of a .yaml file"),
        ("extends: rlvr\ntiers: {t5: {}}\n", "rlvr, which it extends, has no tier 't5'; allowed: 24gb, 80gb"),
        ("extends: rlvr\ntiers: [t4]\n", "tiers is not a section of tiers"),
        ("extends: rlvr\ntrian: {max_steps: 3}\n", "there is no option 'trian'; did you mean 'train'?"),
        (
            "extends: rlvr\ntrian: 3\ndata: {sise: 5}\nadapter: {kind: lora, rnak: 2}\n",
            "there is no option 'data.sise' (did you mean 'size'?), 'adapter.rnak' (did you mean 'rank'?), "
            "'trian' (did you mean 'train'?); tinyreason show",
        ),
    ],
)
def test_a_mistake_is_one_sentence(write, text, words):
    write("extends: mine.yaml\n", "other.yaml")
    assert words in complaint("check", write(text))


def test_every_command_that_takes_a_recipe_takes_it(write, folder):
    mine = write("extends: one_shot_rlvr\nabout: a short one\ntrain: {max_steps: 1, max_completion_tokens: 32}\n")
    assert printed("check", mine).startswith("mine: valid on sandbox, cpu, 8gb, t4, 24gb, 80gb")
    assert json.loads(printed("show", mine, "--on", "t4", "--json"))["train"]["max_steps"] == 1
    assert "a short one" in printed("recipes", mine) and "not yet" in printed("recipes", mine)
    assert printed("plan", mine, "--on", "t4", "--gpu", "t4").startswith("mine on Tesla T4")
    assert dry_run_config(read_recipe(mine), "sandbox", ()).train.max_steps == 2
    assert tinyreason.load_recipe(mine, "sandbox").train.max_steps == 1
    quick = ("evaluation.problems=4", "evaluation.samples=1", "validation=null", "train.rollouts_per_step=8")
    assert "recipe  mine: a short one" in printed("recipe", mine, "--on", "sandbox", "--out", "run", *quick)
    assert "recipe: mine" in (folder / "run" / "config.yaml").read_text()


def test_a_sweep_of_it_has_the_variants_of_the_recipe(write):
    mine = read_recipe(write("extends: length_grpo\ntrain: {max_steps: 3}\n"))
    assert mine.variants("sandbox") == read_recipe("length_grpo").variants("sandbox") != {}
    assert mine.resolve("sandbox", variant={"rewards": [{"kind": "correctness"}]}).train.max_steps == 3


def test_a_name_whose_file_lies_here_is_answered_with_the_file(write):
    write("extends: rlvr\n")
    with pytest.raises(ConfigError, match=r"type mine\.yaml"):
        read_recipe("mine")
