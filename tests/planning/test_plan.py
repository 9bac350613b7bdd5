"""What a run will take before its first step, and the nearest change that fits."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from tinyreason.cli.main import main
from tinyreason.config.recipe import read_recipe
from tinyreason.errors import ConfigError
from tinyreason.models.hardware import Card
from tinyreason.planning.gpus import DATASHEETS, datasheet, datasheet_of
from tinyreason.planning.plan import GB, Machine, make_plan, nearest_fit
from tinyreason.prompts import USUAL_PROMPT_TOKENS


def machine(word, memory_gb=None):
    sheet = datasheet(word)
    return Machine(sheet.card(), sheet, (memory_gb or sheet.memory_gb) * GB)


def replanner(name, tier, on, overrides=()):
    recipe = read_recipe(name)
    return lambda words: make_plan(recipe.resolve(tier, (*overrides, *words)), on)


def typed(*arguments):
    return CliRunner().invoke(main, ["plan", *arguments])


# What is printed


@pytest.mark.parametrize("card", DATASHEETS)
def test_every_card_gets_a_plan(card):
    done = typed("one_shot_rlvr", "--gpu", card)
    assert done.exit_code == 0
    for word in (
        "load",
        "evaluate",
        "generate",
        "score",
        "backward",
        "optimizer",
        "save",
        "peak",
        "step",
        "tokens",
        "disk",
    ):
        assert f"\n{word}" in done.output
    assert "an estimate, not measured on this card" in done.output


def test_long_runs_are_printed_as_people_write_numbers():
    done = typed("length_grpo", "--gpu", "t4", "train.max_completion_tokens=32768")
    assert "e+" not in done.output
    assert "of 100 steps" in done.output


def test_the_plan_as_json_adds_up():
    found = json.loads(typed("tina", "--gpu", "t4", "--json").output)
    assert found["peak"]["bytes"] == max(phase["total"] for phase in found["phases"])
    assert found["row_tokens"] == USUAL_PROMPT_TOKENS + 1024
    assert found["seconds"] > 100 * found["seconds_a_step"]
    assert found["tokens"]["trained on"] == 100 * 16 * found["row_tokens"]
    assert found["disk_bytes"]["model"] == 2 * found["parameters"]
    assert found["fits"] is True
    assert found["suggestion"] is None


def test_an_option_typed_is_an_option_planned():
    short, long = (
        json.loads(typed("one_shot_rlvr", "--gpu", "t4", "--json", f"train.max_completion_tokens={n}").output)
        for n in (256, 4096)
    )
    assert long["peak"]["bytes"] > short["peak"]["bytes"]
    assert long["seconds_a_step"] > 10 * short["seconds_a_step"]


def test_a_card_below_every_tier_is_compared_with_the_smallest():
    assert (
        "tier t4 (the smallest for a GPU; GeForce RTX 3060 is below its 14 GB)" in typed("tina", "--gpu", "3060").output
    )


def test_a_recipe_without_a_gpu_tier_is_planned_for_the_cpu(tmp_path):
    rlvr = Path(__file__).parents[2] / "recipes" / "rlvr.yaml"
    mine = tmp_path / "mine.yaml"
    mine.write_text(rlvr.read_text().split("  t4:")[0])
    assert "mine on CPU" in typed(str(mine), "--gpu", "t4").output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["one_shot_rlvr", "--gpu", "4900"], "no card '4900'; did you mean '4090'?"),
        (["one_shot_rlvr", "--gpu", "t4", "--measure"], "leave --gpu out"),
        (["one_shot_rlvr", "--gpu", "t4", "model.name=someone/else"], "cannot load model.name=someone/else"),
        (["one_shot_rlvr", "--gpu", "t4", "adapter.rank=100000"], "adapter.rank=100000 is larger than layer"),
        (["one_shot_rlvr", "--gpu", "t4", "adapter.targets=[nope]"], "matches no linear layer"),
        (["one_shot_rlvr", "--gpu", "t4", "model.dtype=bfloat16"], "model.dtype=bfloat16 is impossible here"),
        (["one_shot_rlvr", "--on", "24", "--gpu", "t4"], "has no tier '24'"),
        (["nothing"], "no recipe 'nothing'"),
    ],
)
def test_what_cannot_be_planned_is_answered_with_one_sentence(arguments, words):
    done = typed(*arguments)
    assert done.exit_code == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


# The card


def test_the_card_of_this_machine_is_found_in_the_table_by_its_name():
    assert datasheet_of(Card("NVIDIA GeForce RTX 3090", 24.0, (8, 6))) is DATASHEETS["3090"]
    assert datasheet_of(Card("NVIDIA A100-SXM4-40GB", 39.6, (8, 0))) is DATASHEETS["a100-40gb"]
    assert datasheet_of(Card("NVIDIA A100-SXM4-80GB", 79.2, (8, 0))) is DATASHEETS["a100"]
    assert datasheet_of(Card("Quadro Z", 24.0, (8, 6))) is None


def test_a_card_in_no_table_has_memory_but_no_speed():
    card = Card("Quadro Z", 24.0, (8, 6))
    made = make_plan(read_recipe("tina").resolve("24gb"), Machine(card, None, 24 * GB))
    assert made.fits
    assert made.seconds is None
    assert made.session_steps is None


def test_a_longer_run_than_twelve_hours_says_what_a_session_holds():
    made = make_plan(read_recipe("one_shot_rlvr").resolve("80gb"), machine("a100"))
    evaluations = made.seconds - 2000 * made.seconds_a_step
    assert 0 < made.session_steps < 2000
    assert made.session_steps * made.seconds_a_step + evaluations <= 12 * 3600
    assert (made.session_steps + 1) * made.seconds_a_step + evaluations > 12 * 3600


# What fits


@pytest.mark.parametrize("memory_gb", [4, 6, 8, 12, 16, 24])
@pytest.mark.parametrize(("name", "tier"), [("one_shot_rlvr", "80gb"), ("tina", "80gb"), ("reasoning_sft", "24gb")])
def test_the_change_that_is_suggested_fits_and_none_of_its_words_is_idle(name, tier, memory_gb):
    replan = replanner(name, tier, machine("3090", memory_gb))
    words = nearest_fit(replan(()), replan)
    assert replan(()).fits == (words == ())
    assert replan(words).fits
    for word in words:
        rest = tuple(other for other in words if other != word)
        with suppress(ConfigError):  # the others may not be valid without it
            assert not replan(rest).fits, f"{word} is not needed beside {rest}"


def test_what_is_suggested_on_the_command_line_can_be_typed_as_it_is():
    done = typed("one_shot_rlvr", "--on", "80gb", "--gpu", "3060")
    assert "does NOT fit" in done.output
    words = done.output.rpartition("change")[2].split()
    again = typed("one_shot_rlvr", "--on", "80gb", "--gpu", "3060", *words)
    assert "does NOT fit" not in again.output
    assert ": fits" in again.output


def test_a_warm_up_takes_its_time_and_is_made_smaller_where_it_is_the_peak():
    long = ("warmup.train.max_steps=600", "warmup.train.max_tokens=4096")
    replan = replanner("length_grpo", "sandbox", Machine(None, None, GB), long)
    assert replan(()).seconds > replan(("warmup.train.max_steps=60",)).seconds > 0
    assert replan(()).tokens["trained on"] > 600 * 32 * 4096
    assert replan(()).peak.name == "warm-up"
    words = nearest_fit(replan(()), replan)
    assert replan(words).fits
    assert any(word.startswith("warmup.train.micro_batch_size=") for word in words)


def test_only_valid_changes_are_suggested():
    few = ("train.micro_batch_size=1", "train.rollouts_per_step=8", "train.group_size=8")
    stages = ("train.thinkprune=[3000]", *few)
    replan = replanner("one_shot_rlvr", "80gb", machine("3090", 4), stages)
    assert not replan(()).fits
    with pytest.raises(ConfigError):
        replan(("train.max_completion_tokens=1500",))
    words = nearest_fit(replan(()), replan)
    assert words is None or replan(words).fits


def test_where_nothing_helps_nothing_is_suggested():
    replan = replanner("reasoning_sft", "80gb", machine("t4", 3), ("model.dtype=float16",))
    assert nearest_fit(replan(()), replan) is None


def test_what_changes_only_the_time_is_suggested_before_what_changes_the_training():
    replan = replanner("reasoning_sft", "24gb", machine("3090", 16), ("train.micro_batch_size=16",))
    assert not replan(()).fits
    assert all(word.startswith(("train.micro_batch_size=", "evaluation.")) for word in nearest_fit(replan(()), replan))
