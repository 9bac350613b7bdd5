"""Every shipped recipe is valid on each of its tiers, can be read by a person, and promises only what was seen."""

from importlib import import_module

import pytest
from pydantic import ValidationError

from tinyreason.adapters import ADAPTERS
from tinyreason.algorithms.advantages import ADVANTAGES
from tinyreason.algorithms.rewards import REWARDS
from tinyreason.algorithms.rewards._reward import Anneal
from tinyreason.algorithms.samplers import SAMPLERS
from tinyreason.config.describe import option_help
from tinyreason.config.model import Model
from tinyreason.config.recipe import RECIPES, read_recipe, recipe_names
from tinyreason.config.run_config import (
    Checkpoints,
    Evaluation,
    Expected,
    Kernels,
    RunConfig,
    Validation,
    Warmup,
)
from tinyreason.config.tiers import TIERS
from tinyreason.config.train_config import TRAINERS
from tinyreason.data import DATA
from tinyreason.data.tasks import TASKS
from tinyreason.example import Example
from tinyreason.prompts import chat_messages
from tinyreason.schema import Schema, Section

FILES = sorted(RECIPES.glob("*.yaml"))
PLANS = [read_recipe(str(file)) for file in FILES]
RUNS = [pytest.param(plan, tier, id=f"{plan.name}-{tier}") for plan in PLANS for tier in plan.tiers]
SECTIONS = [Warmup, Evaluation, Validation, Checkpoints, Expected, Anneal]
SCHEMAS = [RunConfig, Model, Kernels, *TRAINERS.values(), *SECTIONS]
LEAVES = [leaf for family in (ADAPTERS, REWARDS, ADVANTAGES, SAMPLERS, DATA, TASKS) for leaf in family.values()]


def options(section, depth=0):
    """Every option of a config in order, as (how deep it lies, its name), sections opened."""
    for option in type(section).model_fields:
        value = getattr(section, option)
        many = isinstance(value, tuple)
        for number, item in enumerate(value if many else [value]):
            yield depth, f"{option}.{number}" if many else option
            if isinstance(item, Schema):
                yield from options(item, depth + 1)


def has_sections(annotation):
    """Whether an option's type is a section, or one of several: then the section's own docstring explains it."""
    inner = getattr(annotation, "__args__", ())
    return (isinstance(annotation, type) and issubclass(annotation, Schema | Section)) or any(map(has_sections, inner))


def test_there_are_recipes_and_all_can_be_called_by_name():
    assert PLANS
    assert recipe_names() == sorted(plan.name for plan in PLANS)  # none hidden in a folder, no two of one name


@pytest.mark.parametrize(("plan", "tier"), RUNS)
def test_a_recipe_is_valid_on_each_of_its_tiers(plan, tier):
    config = plan.resolve(tier)
    assert (config.recipe, config.tier) == (plan.name, tier)


@pytest.mark.parametrize(("plan", "tier"), RUNS)
def test_a_resolved_recipe_is_the_same_after_a_trip_through_json(plan, tier):
    config = plan.resolve(tier)
    assert RunConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(("plan", "tier"), RUNS)
def test_show_names_every_option_in_its_place(plan, tier):
    config = plan.resolve(tier)
    lines = config.explained().splitlines()
    listed = [((len(line) - len(line.lstrip())) // 2, line.split(":")[0].strip()) for line in lines]
    assert listed == list(options(config))


@pytest.mark.parametrize(("plan", "tier"), RUNS)
def test_a_recipe_says_what_it_is_and_where_it_comes_from(plan, tier):
    config = plan.resolve(tier)
    assert len(config.about) > 10 and "\n" not in config.about
    assert "arxiv" in config.paper.lower() or "http" in config.paper.lower()
    assert plan.card() == {
        "name": plan.name,
        "about": config.about,
        "paper": config.paper,
        "tiers": {tier: plan.resolve(tier).measured for tier in plan.tiers},
    }


@pytest.mark.parametrize(("plan", "tier"), RUNS)
def test_a_tier_promises_what_was_measured_and_nothing_else(plan, tier):
    config = plan.resolve(tier)
    assert (config.expected is None) == (config.measured == "not yet")


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_tiers_stand_in_the_order_of_their_machines(plan):
    assert list(plan.tiers) == [tier for tier in TIERS if tier in plan.tiers]


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_the_tier_of_small_cards_trains_as_t4_on_an_nf4_base_with_fewer_rows_at_once(plan):
    small, t4 = plan.resolve("8gb"), plan.resolve("t4")
    assert small.train.micro_batch_size * 2 == t4.train.micro_batch_size
    assert small.evaluation.batch_size * 4 == t4.evaluation.batch_size
    assert small.model == t4.model.model_copy(update={"quantize": "nf4"})
    names = ("train", "evaluation", "model", "tier", "warmup", "stages", "teacher_model")  # the last may be smaller
    same = {name: getattr(t4, name) for name in names}
    trains = [(one.train, its.train) for (_, one), (_, its) in zip(small.stage_configs, t4.stage_configs, strict=True)]
    trains += [(small.warmup.train, t4.warmup.train)] if t4.warmup else []
    assert all(one.micro_batch_size == max(1, its.micro_batch_size // 2) for one, its in trains)
    assert small.model_copy(update=same) == t4.model_copy(update={"expected": None, "measured": "not yet"})


def test_a_recipe_may_write_its_own_tier_of_small_cards_or_have_none(tmp_path):
    written = (RECIPES / "rlvr.yaml").read_text(encoding="utf-8")
    (tmp_path / "none.yaml").write_text(written.split("  cpu:")[0])
    assert list(read_recipe(str(tmp_path / "none.yaml")).tiers) == ["sandbox"]
    (tmp_path / "own.yaml").write_text(written.replace("  t4:", "  8gb: {model: {name: tiny}}\n  t4:"))
    assert read_recipe(str(tmp_path / "own.yaml")).tiers["8gb"] == {"model": {"name": "tiny"}}
    (tmp_path / "odd.yaml").write_text("about: x\ntiers:\n  t4: {train: 3, evaluation: {batch_size: many}}\n")
    assert read_recipe(str(tmp_path / "odd.yaml")).tiers["8gb"] == read_recipe(str(tmp_path / "odd.yaml")).tiers["t4"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_commands_in_the_head_of_a_recipe_are_valid(file):
    head = [line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("# ")]
    commands = {line.split()[1]: line.partition("tinyreason recipe ")[2].split() for line in head[1:]}
    assert commands["Run"] == [file.stem]
    name, *overrides = commands["Change"]
    plan = read_recipe(name)
    for tier in plan.tiers:
        unchanged = plan.resolve(tier).model_copy(update={"expected": None})
        assert plan.resolve(tier, tuple(overrides)) != unchanged


@pytest.mark.parametrize("schema", [*SCHEMAS, *LEAVES], ids=lambda schema: schema.__name__)
def test_every_option_has_a_help_text(schema):
    texts = option_help(schema)
    silent = [
        option
        for option, field in schema.model_fields.items()
        if option != "kind" and not has_sections(field.annotation) and not texts.get(option, "").strip()
    ]
    assert not silent
    assert not texts.keys() - schema.model_fields.keys()
    assert schema.__doc__.strip()


ODD_LEAF = r'''
from pydantic import Field

from tinyreason.schema import Schema


class Odd(Schema):
    """Of the class."""

    first: int = Field(
        1,
    )
    """Over
    two lines."""
    silent: int = 2

    def method(self):
        """Of the method."""
        inner: int = 3

    last: str = "a: b"
    """A \\."""
'''


def test_help_of_an_option_is_what_stands_under_it_and_no_other_text(tmp_path, monkeypatch):
    (tmp_path / "odd_leaf.py").write_text(ODD_LEAF, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    help_texts = option_help(import_module("odd_leaf").Odd)
    assert help_texts == {"first": "Over\n    two lines.", "last": "A \\."}


def test_a_config_cannot_be_changed_after_it_was_checked():
    config = PLANS[0].resolve(next(iter(PLANS[0].tiers)))
    with pytest.raises(ValidationError):
        config.train.max_steps = 0


REAL = ("t4", "24gb", "80gb")


@pytest.mark.parametrize("tier", REAL)
def test_a_step_of_one_shot_rlvr_is_one_group_put_with_the_authors_system_prompt(tier):
    # pi_1 is solved in 6.3 % of the base's samples: (1 − 0.063)^8 = 0.594, (1 − 0.063)^32 = 0.125
    config = read_recipe("one_shot_rlvr").resolve(tier)
    assert config.train.group_size == config.train.rollouts_per_step >= 32
    assert (1 - 0.063) ** config.train.group_size < 0.13 < 0.59 < (1 - 0.063) ** 8
    row = {"prompt": [{"role": "user", "content": "1+1? Output the final answer within \\boxed{}."}]}
    trained = Example("a", tuple(row["prompt"]), "2")
    asked = Example("b", ({"role": "user", "content": "1+2?"},), "3")
    system = {"role": "system", "content": "Please reason step by step, and put your final answer within \\boxed{}."}
    assert chat_messages(trained, config.prompt) == [system, *row["prompt"]]
    assert chat_messages(asked, config.prompt) == [system, *asked.messages]
    theirs = Example("c", ({"role": "system", "content": "Be brief."}, *asked.messages), "3")
    assert chat_messages(theirs, config.prompt) == list(theirs.messages)


@pytest.mark.parametrize("tier", REAL)
def test_one_shot_cft_trains_on_the_published_set_as_often_and_at_the_rate_that_the_paper_does(tier):
    config = read_recipe("one_shot_cft").resolve(tier)
    assert config.critiques is None
    assert (config.data.name, config.data.hub_file) == ("TIGER-Lab/One-Shot-CFT-Data", "DSR-CFT-p0.jsonl")
    visits = config.train.max_steps * config.train.batch_size
    assert 30_000 <= visits < 30_000 + config.train.batch_size  # 600 rows, 50 epochs
    assert (config.learning_rate, config.train.schedule, config.train.weight_decay) == (5e-6, "cosine", 0.05)
    assert config.trl == {"warmup_steps": 0.1}


@pytest.mark.parametrize("tier", read_recipe("tina").tiers)
def test_tinas_format_reward_asks_for_the_end_of_the_reasoning_alone(tier):
    (found,) = (reward for reward in read_recipe("tina").resolve(tier).rewards if reward.kind == "format")
    assert found.box is False
