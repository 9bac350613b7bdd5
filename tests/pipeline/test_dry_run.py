"""A dry run takes a tier's own data through the whole path on the sandbox model, and says what it saw."""

import json

import pytest
from commands import tinyreason

from tinyreason.config.recipe import read_recipe, recipe_names
from tinyreason.config.train_config import LONGEST_ROW
from tinyreason.pipeline.dry_run import STEPS, dry_run_config

ROWS = [
    {"question": f"A box holds {n} pens. How many do 3 boxes hold?", "answer": f"3 * {n}.\n#### {3 * n}"}
    for n in range(40)
]


@pytest.fixture
def problems(tmp_path):
    file = tmp_path / "problems.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return file


def dry_run(*arguments):
    return tinyreason("dry-run", *arguments)


@pytest.mark.parametrize("name", recipe_names())
def test_every_tier_of_every_recipe_can_be_made_small(name):
    recipe = read_recipe(name)
    for tier in recipe.tiers:
        asked, config = recipe.resolve(tier), dry_run_config(recipe, tier, ())
        assert config.model.name == "sandbox"
        assert config.train.max_steps == STEPS
        assert (config.rewards, config.advantage) == (asked.rewards, asked.advantage)
        few = {
            "sampled": {"size": 8, "samples": 2, "keep": "all"},
            "rollouts": {"size": 8, "truncated": True, "transforms": ()},
        }.get(asked.data.kind, {})
        assert config.data == asked.data.model_copy(update=few)
        assert all(stage.train.max_steps == STEPS for _, stage in config.stage_configs)
        assert len(config.stage_configs) == len(asked.stages)
        assert config.adapter.kind == asked.adapter.kind
        assert config.model.quantize == asked.model.quantize
        assert config.train.rows_per_step <= 16
        assert config.warmup is None or config.warmup.train.max_steps == STEPS


def test_overrides_are_in_a_dry_run_too():
    config = dry_run_config(
        read_recipe("reasoning_sft"),
        "24gb",
        ("adapter.kind=miss", "train.batch_size=2", "train.micro_batch_size=1", "seed=3"),
    )
    assert (config.adapter.kind, config.train.batch_size, config.seed) == ("miss", 2, 3)
    assert config.train.max_tokens == LONGEST_ROW


def test_a_dry_run_says_what_it_saw_and_what_it_cannot_know(problems, tmp_path):
    done = dry_run(
        *("one_shot_rlvr", "--on", "24gb", f"data.file={problems}", "data.index=5", "--out", tmp_path / "run"),
        f"evaluation.data={{kind: problems, file: {problems}}}",
    )
    assert done.exit_code == 0, done.output
    for words in (
        *("every gold answer graded: problem 5 of problems.jsonl", "8 problems asked before and after"),
        *("correctness: 32 rollouts rewarded and compared by grpo", "2 steps of the grpo trainer, lora adapter"),
        *("the step after step 1, taken again: the same bit for bit", "loaded again with PEFT: its logits are finite"),
        *("cannot know", "whether Qwen/Qwen2.5-Math-1.5B loads"),
    ):
        assert words in done.output
    lines = [json.loads(line) for line in (tmp_path / "run" / "rollouts.jsonl").open(encoding="utf-8")]
    assert {line["problem_id"] for line in lines} == {"5"}


def test_data_that_cannot_be_reached_is_answered_with_one_sentence():
    done = dry_run("tina", "--on", "t4")
    assert done.exit_code == 2
    assert "data.name=knoveleng/open-rs" in done.stderr
    assert "type data.file=PATH" in done.stderr.splitlines()[-1]
