"""The tier for a real model without a GPU: when it is taken, and SmolLM2-135M-Instruct on it."""

import json

import pytest
from click.testing import CliRunner
from sessions import context_of

from tinyreason.cli.main import main
from tinyreason.config.recipe import read_recipe, recipe_names
from tinyreason.config.tiers import CPU_TIER
from tinyreason.errors import ConfigError
from tinyreason.models import hardware
from tinyreason.models.hardware import Card, tier_for
from tinyreason.pipeline.run import run

FEW = (
    *("evaluation.problems=2", "evaluation.max_completion_tokens=8", "evaluation.template_check=false"),
    *("train.max_completion_tokens=16", "train.micro_batch_size=null"),
)


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_has_a_cpu_tier_on_a_public_model_that_reads_no_data_of_the_hub(name):
    config = read_recipe(name).resolve(CPU_TIER)
    assert config.model.name == "HuggingFaceTB/SmolLM2-135M-Instruct"
    sources = [*config.training_sources, config.evaluation.data or config.data]
    assert all(source.is_offline for source in sources) and not config.is_offline
    assert config.expected is None or config.expected.minutes <= 30


@pytest.mark.parametrize(
    ("words", "card", "tier"),
    [
        ((), None, "sandbox"),
        (("model.name=org/model",), None, CPU_TIER),
        (("model={name: org/model}",), None, CPU_TIER),
        (("model.name=FOLDER",), None, CPU_TIER),
        (("model.name=org/model",), Card("GTX 1650", 4.0, (7, 5)), CPU_TIER),
        (("model.name=org/model",), Card("Tesla T4", 15.0, (7, 5)), "t4"),
        (("adapter.rank=2",), None, "sandbox"),
    ],
)
def test_another_base_than_the_sandboxs_takes_the_cpu_tier_where_there_is_no_gpu(words, card, tier):
    chosen, why = tier_for(read_recipe("rlvr"), None, words, card)
    assert chosen == tier
    assert ("is not the sandbox's model" in why) == (tier == CPU_TIER)


def test_a_recipe_of_ones_own_with_a_model_of_the_hub_takes_the_cpu_tier(tmp_path):
    (tmp_path / "mine.yaml").write_text("extends: rlvr\nmodel: {name: org/model}\n")
    assert tier_for(read_recipe(str(tmp_path / "mine.yaml")), None, (), None)[0] == CPU_TIER


@pytest.mark.parametrize("name", ["logic_rl", "saturn"])
def test_a_recipe_whose_task_the_sandboxs_model_cannot_read_has_no_such_tier_and_says_so(name):
    assert tier_for(read_recipe(name), None, (), None) == (
        CPU_TIER,
        "no CUDA GPU found, and this recipe has no sandbox tier",
    )
    with pytest.raises(ConfigError, match="has no tier 'sandbox'; allowed: "):
        read_recipe(name).resolve("sandbox")


def test_an_adapter_to_start_from_takes_the_place_of_the_tiers_warm_up():
    config = read_recipe("rlvr").resolve(CPU_TIER, ("adapter.start=FOLDER",))
    assert config.warmup is None and read_recipe("rlvr").resolve(CPU_TIER).warmup


def test_a_tier_that_is_asked_for_is_taken():
    assert tier_for(read_recipe("rlvr"), "sandbox", ("model.name=org/model",), None)[0] == "sandbox"
    with pytest.raises(ConfigError, match="without a GPU type --on cpu"):
        read_recipe("rlvr").resolve("sandbox", ("model.name=org/model",))


def test_a_run_says_in_its_first_line_why_it_is_on_the_cpu_tier(smollm2, tmp_path, monkeypatch):
    monkeypatch.setattr(hardware, "visible_cards", list)
    out = tmp_path / "run"
    steps = ("train.max_steps=3", "train.batch_size=4", "data.size=12", "train.learning_rate=1e-3")
    done = CliRunner().invoke(
        main, ["recipe", "reasoning_sft", f"model.name={smollm2}", *FEW, *steps, "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert f"tier    cpu (no CUDA GPU found, and {smollm2} is not the sandbox's model)" in done.output
    losses = [json.loads(line)["loss"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert losses[-1] < losses[0]


def test_a_step_of_grpo_samples_rollouts_that_differ_and_are_not_empty(smollm2, tmp_path, own_cpu):
    steps = ("train.max_steps=1", "train.rollouts_per_step=4", "train.group_size=4", "warmup=null")
    dtype = "bfloat16" if own_cpu.bfloat16_by else "float32"
    config = read_recipe("rlvr").resolve(CPU_TIER, (f"model.name={smollm2}", f"model.dtype={dtype}", *FEW, *steps))
    context = context_of(config)
    result = run(config, tmp_path / "run", context)
    rows = [json.loads(line) for line in (tmp_path / "run" / "rollouts.jsonl").read_text().splitlines()]
    assert len({row["completion"] for row in rows}) > 1 and all(row["completion"].strip() for row in rows)
    assert result.adapter.trainable_parameters > 1e5


def test_a_published_gguf_file_is_read_as_the_model_that_completes_a_sentence(smollm2, load):
    model, tokenizer = load(smollm2)
    ids = tokenizer("The capital of France is", return_tensors="pt")["input_ids"]
    assert tokenizer.decode(model(ids).logits[0, -1].argmax()).strip() == "Paris"
    assert sum(parameter.numel() for parameter in model.parameters()) == 134_515_008
