"""A recipe, a tier and `key=value` overrides become one checked RunConfig, or one sentence about what is wrong."""

from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyreason.config.recipe import read_recipe
from tinyreason.config.run_config import RunConfig
from tinyreason.config.train_base import Train
from tinyreason.data.one_shot import OneShot
from tinyreason.errors import ConfigError

RECIPE = """
about: a recipe of the tests
paper: of nobody
trainer: grpo
data: {kind: one_shot}
rewards: [{kind: correctness}, {kind: format, weight: 0.5}]
advantage: {kind: dr_grpo}
adapter: {kind: lora, rank: 4}
tiers:
  sandbox:
    model: {name: sandbox}
    prompt: plain
    data: {name: sandbox, index: 0}
    train: {max_steps: 10, max_completion_tokens: 50, learning_rate: 5e-4}
    expected: {accuracy: 0.5}
    measured: 55 % on two cores
  24gb:
    model: {name: someone/model}
    data: {name: someone/problems, index: 3}
    train: {max_steps: 100, rollouts_per_step: 128, max_completion_tokens: 2000}
"""

SFT = "train={max_steps: 3, max_tokens: 99, max_completion_tokens: 40}"
WITHOUT_GRPO = ("rewards=[]", "advantage=null")
WARMUP = f"warmup={{data: {{kind: solutions, name: sandbox}}, {SFT.replace('=', ': ')}}}"


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    return write(tmp_path_factory.mktemp("recipe"), RECIPE)


def write(folder: Path, text: str):
    path = folder / "tests_own.yaml"
    path.write_text(text, encoding="utf-8")
    return read_recipe(str(path))


def refusal(action, *arguments) -> str:
    """What a person reads: one line, a whole sentence."""
    with pytest.raises(ConfigError) as caught:
        action(*arguments)
    message = str(caught.value)
    assert len(message.splitlines()) == 1, message
    assert message.endswith((".", ".)", "…")), message
    return message


def at(config, path: str):
    for key in path.split("."):
        config = (
            config[int(key)] if key.isdigit() else config[key] if isinstance(config, dict) else getattr(config, key)
        )
    return config


# Tiers


def test_a_tier_is_laid_over_the_recipe(plan):
    config = plan.resolve("24gb")
    assert config.data == OneShot(name="someone/problems", index=3)
    assert (config.recipe, config.tier, config.adapter.rank, config.train.max_steps) == ("tests_own", "24gb", 4, 100)
    assert config.prompt == "boxed"  # the default; only the other tier says plain


def test_overrides_on_one_tier_do_not_leak_into_the_next(plan):
    before = {tier: plan.resolve(tier) for tier in plan.tiers}
    plan.resolve(
        "sandbox", ("rewards.0.kind=alp_length", "rewards.1.weight=9", "trl.generation_kwargs.b=1", "adapter.rank=1")
    )
    plan.resolve("sandbox", ("data.file=mine.jsonl", "train.kl=0.5", "validation.problems=3"), seed=7)
    assert {tier: plan.resolve(tier) for tier in plan.tiers} == before


def test_an_override_changes_only_the_place_it_names_even_where_yaml_wrote_it_once(tmp_path):
    text = RECIPE.replace("data: {kind: one_shot}\n", "")
    text = text.replace("data: {name: sandbox, index: 0}", "data: &mine {kind: problems, name: sandbox, size: 5}")
    plan = write(tmp_path, text.replace("expected:", "evaluation: {data: *mine}\n    expected:"))
    config = plan.resolve("sandbox", ("data.size=7",))
    assert (config.data.size, config.evaluation.data.size) == (7, 5)


# Overrides


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("train.max_steps=7", "train.max_steps", 7),
        ("train.learning_rate=1e-5", "train.learning_rate", 1e-5),
        ("train.learning_rate=1E-5", "train.learning_rate", 1e-5),
        ("train.kl=.5", "train.kl", 0.5),
        ("train.kl=1", "train.kl", 1.0),
        ("train.learning_rate=null", "train.learning_rate", None),
        ("model.trust_remote_code=true", "model.trust_remote_code", True),
        ("rewards.1.weight=0.2", "rewards.1.weight", 0.2),
        ("rewards.0.kind=alp_length", "rewards.0.kind", "alp_length"),
        ("rewards.0={kind: alp_length, weight: 3}", "rewards.0.weight", 3.0),
        ("about=a=b=c", "about", "a=b=c"),
        ("data.file=a=b.jsonl", "data.file", Path("a=b.jsonl")),
        ("data.id=17", "data.id", "17"),
        ("validation.problems=8", "validation.problems", 8),
        ("trl.adam_beta2=0.99", "trl.adam_beta2", 0.99),
        ("trl.adam_epsilon=1e-6", "trl.adam_epsilon", 1e-6),
        ("trl.generation_kwargs.min_p=0.1", "trl.generation_kwargs", {"min_p": 0.1}),
        ("seed=3", "seed", 3),
    ],
)
def test_an_override_puts_a_typed_value_in_its_place(plan, override, path, value):
    found = at(plan.resolve("sandbox", (override,)), path)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("id", ["007", "1:30", "2024-01-01", "yes", "1_000", "2024-13-45"])
def test_an_id_stays_the_text_it_was_typed_as(plan, id):
    assert plan.resolve("sandbox", (f"data.id={id}",)).data.id == id


def test_a_list_can_be_replaced_as_a_whole(plan):
    config = plan.resolve("sandbox", ("rewards=[{kind: format}]",))
    assert [reward.kind for reward in config.rewards] == ["format"]


def test_a_later_override_wins(plan):
    config = plan.resolve("sandbox", ("train.max_steps=7", "train={max_steps: 8, max_completion_tokens: 9}"))
    assert (config.train.max_steps, config.train.max_completion_tokens) == (8, 9)


def test_without_a_learning_rate_the_adapter_names_its_own(plan):
    assert plan.resolve("sandbox").learning_rate == 5e-4
    config = plan.resolve("sandbox", ("train.learning_rate=null",))
    assert config.learning_rate == config.adapter.default_learning_rate


@pytest.mark.parametrize(
    ("override", "given", "taken_away"),
    [
        ("data.file=mine.jsonl", ("file", Path("mine.jsonl")), "name"),
        ("data.id=chain/train/4", ("id", "chain/train/4"), "index"),
    ],
)
def test_a_persons_choice_takes_the_recipes_other_one_away(plan, override, given, taken_away):
    data = plan.resolve("sandbox", (override,)).data
    assert getattr(data, given[0]) == given[1]
    assert getattr(data, taken_away) is None


def test_a_name_takes_the_recipes_file_away(tmp_path):
    plan = write(tmp_path, RECIPE.replace("{name: sandbox, index: 0}", "{file: mine.jsonl, id: a}"))
    data = plan.resolve("sandbox", ("data.name=sandbox", "data.index=2")).data
    assert (data.name, data.file, data.index, data.id) == ("sandbox", None, 2, None)


def test_a_file_that_is_typed_sets_its_own_size_and_a_size_that_is_typed_stays():
    rlvr = read_recipe("rlvr")
    assert rlvr.resolve("sandbox").data.size == 2000
    assert rlvr.resolve("sandbox", ("data.file=mine.jsonl",)).data.size is None
    assert rlvr.resolve("sandbox", ("data.size=7", "data.file=mine.jsonl")).data.size == 7
    data = read_recipe("reasoning_sft").resolve("t4", ("data.file=mine.jsonl",)).data
    assert (data.name, data.subset, data.size) == (None, None, None)


@pytest.mark.parametrize(("recipe", "tier"), [("rlvr", "sandbox"), ("rlvr", "t4"), ("reasoning_sft", "t4")])
def test_a_test_set_is_named_by_its_file_alone(recipe, tier):
    data = read_recipe(recipe).resolve(tier, ("evaluation.data.file=test.jsonl",)).evaluation.data
    assert (data.kind, data.file, data.name, data.subset, data.split) == (
        "problems", Path("test.jsonl"), None, None, "train",
    )  # fmt: skip
    own = read_recipe(recipe).resolve(tier, ("evaluation.data.name=sandbox",)).evaluation.data
    assert (own.kind, own.name, own.file) == ("problems", "sandbox", None)


def test_two_places_for_one_section_of_data_are_one_sentence():
    with pytest.raises(ConfigError, match=r"^evaluation.data.file=x.jsonl and evaluation.data.name=y are both given; "):
        read_recipe("rlvr").resolve("sandbox", ("evaluation.data.file=x.jsonl", "evaluation.data.name=y"))


def test_a_changed_run_promises_nothing_and_another_seed_is_no_change(plan):
    assert plan.resolve("sandbox").expected.accuracy == 0.5
    assert plan.resolve("sandbox", ("train.kl=0.1",)).expected is None
    config = plan.resolve("sandbox", seed=11)
    assert config.seed == 11
    assert config.expected.accuracy == 0.5


def test_another_kind_of_reward_starts_from_its_own_defaults(plan):
    rewards = plan.resolve("sandbox", ("rewards.1.kind=alp_length", "rewards.1.beta=0.01")).rewards
    assert (rewards[0].kind, rewards[1].kind, rewards[1].weight, rewards[1].beta) == (
        "correctness",
        "alp_length",
        1,
        0.01,
    )
    assert plan.resolve("sandbox", ("rewards.1.kind=format",)).rewards[1].weight == 0.5


def test_the_token_limit_of_a_step_follows_its_stage(plan):
    train = plan.resolve("sandbox", ("train.max_steps=6", "train.thinkprune=[40,30,20]")).train
    assert [train.limit_at(step) for step in range(1, 8)] == [40, 40, 30, 30, 20, 20, 20]
    assert plan.resolve("sandbox").train.limit_at(3) == 50


@pytest.mark.parametrize("given", ["20", "'20'", "20.0"])
def test_an_evaluation_without_a_token_limit_has_that_of_the_training(plan, given):
    config = plan.resolve("sandbox", (f"train.max_completion_tokens={given}",))
    assert config.evaluation.max_completion_tokens == config.train.max_completion_tokens == 20
    assert plan.resolve("sandbox", ("evaluation.max_completion_tokens=30",)).evaluation.max_completion_tokens == 30


# What is refused


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        # an unknown word, answered with the nearest
        (["train.max_step=5"], "no option 'train.max_step'; did you mean 'max_steps'?"),
        (["data.nmae=x"], "no option 'data.nmae'; did you mean 'name'?"),
        (["evaluation.problem=5"], "no option 'evaluation.problem'; did you mean 'problems'?"),
        (["validation.every_step=1"], "did you mean 'every_steps'?"),
        (["rewards.1.wieght=2"], "no option 'rewards.1.wieght'; did you mean 'weight'?"),
        (["adapter.rnak=2"], "no option 'adapter.rnak'; did you mean 'rank'?"),
        (["modle.name=x"], "no option 'modle'; did you mean 'model'?"),
        (["rewards.0.kind=corectness"], "rewards.0.kind 'corectness' is unknown; did you mean 'correctness'?"),
        (["adapter.kind=lorra"], "did you mean 'lora'?"),
        (["advantage.kind=gpro"], "did you mean 'grpo'?"),
        (["evaluation.data.kind=problem"], "evaluation.data.kind 'problem' is unknown; did you mean 'problems'?"),
        (["data={name: sandbox}"], "data.kind"),
        (["data.name=sandbox:chian"], "did you mean 'chain'?"),
        (["data.split=trian"], "did you mean 'train'?"),
        # a place that is not there
        (["rewards.7.kind=format"], "there is no rewards.7: rewards is a list of 2"),
        (["rewards.-1.kind=format"], "there is no rewards.-1"),
        (["rewards.²=5"], "there is no rewards.²"),
        (["rewards.kind=format"], "there is no rewards.kind"),
        (["train.max_steps.x=5"], "train.max_steps is not a section"),
        ([".=5"], "no option ''"),
        # not an override
        (["train.max_steps"], "'train.max_steps' is not an override; type it as path.to.key=value"),
        (["=5"], "'=5' is not an override"),
        (["--max-steps=5"], "'--max-steps=5' is not an override"),
        # the wrong type or size
        (["train.max_steps=many"], "train.max_steps='many'"),
        (["train.max_steps=1.5"], "train.max_steps=1.5"),
        (["train.max_steps=0"], "train.max_steps=0"),
        (["train.max_steps=null"], "train.max_steps=None"),
        (["about="], "about=None"),
        (["train.max_steps=[1"], "train.max_steps='[1'"),
        (["train=5"], "train=5"),
        (["train.max_steps=many"], "train.max_steps='many' is not a whole number."),
        (["train.kl=x"], "train.kl='x' is not a number."),
        (["model.trust_remote_code=x"], "model.trust_remote_code='x' is neither true nor false."),
        (["rewards=format"], "rewards='format' is not a list; a list is typed in brackets, [a, b]."),
        (["train.loss=x"], "train.loss='x': input should be 'grpo', 'dr_grpo', 'dapo', 'bnpo', 'cispo' or"),
        (["train.learning_rate=inf"], "train.learning_rate="),
        (["train.learning_rate=.inf"], "train.learning_rate="),
        (["train.entropy_bonus=nan"], "train.entropy_bonus="),
        (["train.entropy_bonus=.nan"], "train.entropy_bonus="),
        (["rewards=[]"], "trainer grpo needs rewards"),
        (["adapter={kind: {}}"], "adapter.kind"),
        (["rewards=5"], "rewards=5"),
        (["rewards.0=5"], "rewards.0=5"),
        (["data=null"], "data=None"),
        (["data.index=-1"], "data.index=-1"),
        (["model=sandbox"], "model='sandbox'"),
        (["trl=5"], "trl=5"),
        (["trl={1: 2}"], "trl.1"),
        (["seed=-1"], "seed=-1"),
        # a contradiction
        (
            ["train.group_size=7"],
            "rollouts_per_step=64 is not a multiple of group_size=7; try train.rollouts_per_step=63",
        ),
        (["train.rollouts_per_step=3"], "is not a multiple of group_size=8; try train.rollouts_per_step=8"),
        (["train.micro_batch_size=7"], "is not a multiple of micro_batch_size=7; try train.micro_batch_size=4"),
        (["trl.beta=0.1"], "trl.beta is train.kl here; type train.kl=0.1"),
        (["trl.num_generations=4"], "trl.num_generations is train.group_size here"),
        (["trl.top_entropy_quantile=0.2"], "is train.top_entropy_quantile here; type train.top_entropy_quantile=0.2"),
        (["trl.epsilon_high=0.28"], "trl.epsilon_high is train.epsilon_high here; type train.epsilon_high=0.28"),
        (["trl.steps_per_generation=2"], "trl.steps_per_generation is train.rollouts_per_step here"),
        (["train.loss=cispo", "train.epsilon_high=0.28"], "epsilon_high=0.28 is cispo's highest ratio itself"),
        (["train.importance_sampling_level=sequence", "train.loss=dapo"], "weighs rollouts by their length; type"),
        (
            ["train.loss=luspo", "train.importance_sampling_level=token"],
            "loss=luspo takes importance_sampling_level=sequence; leave it out",
        ),
        (
            ["advantage.kind=oreal", "trl.num_iterations=2"],
            "advantage oreal holds only for rollouts that are trained on once; leave out trl.num_iterations",
        ),
        (
            ["advantage.kind=opo", "train.micro_batch_size=16", "trl.gradient_accumulation_steps=2"],
            "trained on once; leave out trl.gradient_accumulation_steps",
        ),
        (["trl.seed=3"], "trl.seed is seed here; set seed instead"),
        (["tier=80gb"], "--on"),
        (["recipe=another"], "recipe"),
        # rewards that cannot be
        (["rewards=[{kind: l1_exact}]"], "rewards.0.target_tokens is missing; type"),
        (
            ["rewards.0={kind: l1_max, target_tokens: 51}"],
            "target_tokens=51 is longer than the 50 tokens that train.max_completion_tokens",
        ),
        (["rewards.0={kind: l1_max, target_tokens: [9, 51]}"], "target_tokens=51 is longer"),
        (["rewards.0={kind: laser_length, target_tokens: 51}"], "rewards.0.target_tokens=51 is longer"),
        (["rewards.0={kind: cosine_length, preset: x}"], "preset='x': input should be 'as_meant' or 'as_released'"),
        (["rewards.0.weight=-1"], "would pay for the contrary of correctness"),
        (["rewards.0.weight=0", "rewards.1.weight=0"], "the weights of all rewards are 0"),
        (["rewards.0.kind=format"], "two weights for it contradict each other"),
        (["rewards.1.gate=corectness"], "rewards.1.gate=corectness is not another reward of the list; did you mean"),
        (["rewards.1.anneal={start: 0, end: 1, steps: 1}"], "rewards.1.anneal.steps=1"),
        (["train.thinkprune=[60,40]"], "must fall from max_completion_tokens=50"),
        (["train.thinkprune=[40,30]", "rewards.0={kind: l1_max, target_tokens: 31}"], "target_tokens=31 is longer"),
        (["trl.scale_rewards=group"], "trl.scale_rewards is advantage.kind here"),
        (["trl.reward_weights=[1]"], "trl.reward_weights is rewards.0.weight here"),
        (["train.thinkprune=[20,40]"], "must fall from max_completion_tokens=50"),
        (["train.max_steps=1", "train.thinkprune=[40,20]"], "more than max_steps=1"),
        (["advantage={kind: gfpo, keep: 8}"], "advantage.keep=8 keeps all of a group of 8"),
        (
            ["trainer=sft", SFT, "advantage={kind: gfpo}"],
            "trainer sft takes no rewards, advantage, samplers or rollouts; trainer grpo",
        ),
        (
            ["trainer=sft", SFT, *WITHOUT_GRPO, WARMUP],
            "warmup: comes before GRPO; with trainer sft give all data as data:",
        ),
        ([WARMUP, "adapter.start=x"], "warmup: and adapter.start are two beginnings"),
        ([WARMUP, "warmup.data.name=openai/gsm8k"], "warmup.data.name=openai/gsm8k is a hub id"),
        (["adapter={kind: lora, dora: true}", "model.quantize=int8"], "model.quantize=int8; it can on none, nf4"),
        (["critiques={}"], "critiques.teacher: Field required"),
        (["warmup={data: {kind: solutions, name: sandbox}}"], "warmup.train is missing"),
        (["data.file=mine.jsonl", "data.name=sandbox"], "data.file=mine.jsonl and data.name=sandbox are both given"),
        (["data.index=3", "data.id=4"], "both of data.index and data.id are given"),
        (["data.name=null"], "neither of data.file and data.name are given"),
        # the sandbox tier has no network
        (["data.name=openai/gsm8k"], "never uses the network, and data.name=openai/gsm8k is a hub id"),
        (["data.name=sandboxes/problems"], "data.name=sandboxes/problems is a hub id"),
        (["evaluation.data={kind: problems, name: openai/gsm8k}"], "openai/gsm8k is a hub id"),
        (["model.name=someone/model"], "never uses the network, and model.name=someone/model"),
        # what no sane person types
        (["model.name=" + "a" * 5000], "model.name=aaa"),
        (["train.max_steps=" + "9" * 5000], "train.max_steps"),
        (["train.max_steps=" + "[" * 500], "train.max_steps"),
        (['data.name="two\\nlines"'], "two"),
        (['rewards.0.kind="two\\nlines"'], "two"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_a_mistake_is_answered_with_one_sentence(plan, overrides, words):
    assert words in refusal(plan.resolve, "sandbox", tuple(overrides))


@pytest.mark.parametrize(
    ("options", "high", "level"),
    [
        ((), None, "token"),
        (("train.loss=cispo",), 5.0, "token"),
        (("train.loss=cispo", "train.epsilon_high=null"), 5.0, "token"),
        (("train.loss=cispo", "train.epsilon_high=3"), 3.0, "token"),
        (("train.loss=luspo",), None, "sequence"),
        (("train.loss=grpo", "train.importance_sampling_level=sequence"), None, "sequence"),
        (("advantage.kind=oreal", "train.micro_batch_size=16", "trl.num_iterations=1"), None, "token"),
    ],
)
def test_a_loss_has_the_options_that_make_it_the_method_of_its_name(plan, options, high, level):
    config = plan.resolve("sandbox", options)
    assert (config.train.epsilon_high, config.train.importance_sampling_level) == (high, level)


def test_the_suggestion_for_a_contradiction_can_be_typed_as_it_is(plan):
    for override in ("train.group_size=7", "train.rollouts_per_step=3", "train.micro_batch_size=7"):
        advice = refusal(plan.resolve, "sandbox", (override,)).rpartition("try ")[2].rstrip(".")
        assert plan.resolve("sandbox", (override, advice))


def test_the_sandbox_tier_takes_local_files_and_other_tiers_take_the_hub(plan, tmp_path):
    local = plan.resolve("sandbox", (f"model.name={tmp_path}", "data.file=mine.jsonl"))
    assert (local.model.name, local.data.file) == (str(tmp_path), Path("mine.jsonl"))
    assert plan.resolve("24gb", ("data.name=openai/gsm8k",)).data.name == "openai/gsm8k"


def test_an_unknown_tier_is_answered_with_the_recipes_tiers(plan):
    message = refusal(plan.resolve, "sandbx")
    assert "recipe tests_own has no tier 'sandbx'; did you mean 'sandbox'?" in message and "24gb" in message
    assert "80gb" not in message


def test_an_unknown_recipe_is_answered_with_the_nearest():
    assert "no recipe 'one_shot_rvlr'; did you mean 'one_shot_rlvr'?" in refusal(read_recipe, "one_shot_rvlr")


@pytest.mark.parametrize(
    "name", ["", "nothing", "a/b", "one_shot_rlvr.txt", "two\nlines", "none.yaml", "a" * 300 + ".yaml"]
)
def test_a_recipe_that_is_not_there_is_answered_with_one_sentence(name):
    assert "recipe" in refusal(read_recipe, name)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not a recipe"),
        (b"5", "is not a recipe"),
        (b"- a\n- b\n", "is not a recipe"),
        (b"about: no tiers\n", "is not a recipe: it needs a section `tiers:`"),
        (b"tiers: []\n", "is not a recipe"),
        (b"tiers: {}\n", "is not a recipe"),
        (b"tiers: {sandbox: null}\n", "is not a recipe"),
        (b"tiers: {24: {}}\n", ""),
        (b"tiers: {sandbox: {}, 80gbb: {}}\n", ""),
        (
            b"tiers: {sandbox: {}}\nabuot: x\n",
            "there is no option 'abuot' (did you mean 'about'?); missing: trainer, model",
        ),
        (b"tiers: {sandbox: {}}\n", "missing: trainer, model, data, adapter, train;"),
        (b"1: 2\ntiers: {sandbox: {}}\n", ""),
        (b"tiers: [\n", "is not valid YAML"),
        (b"a: b: c\n", "is not valid YAML"),
        (b"\tx: 1\n", "is not valid YAML"),
        (b"a: *nowhere\n", "is not valid YAML"),
        (b"? {a: b}\n: c\n", "is not valid YAML"),
        (b"a: !!python/object/apply:os.getcwd []\n", "is not valid YAML"),
        (b"about: 2024-13-45\ntiers: {sandbox: {}}\n", ""),
        (b"\xff\xfe\x00x", "cannot read recipe"),
        (b"a: b\x00c\n", "is not valid YAML"),
        (b"[" * 500, ""),
    ],
)
def test_a_file_that_is_no_recipe_is_answered_with_one_sentence(tmp_path, content, words):
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    assert words in refusal(lambda: read_recipe(str(path)).resolve("sandbox"))


def test_a_folder_is_no_recipe(tmp_path):
    (tmp_path / "folder.yaml").mkdir()
    assert "Is a directory" in refusal(read_recipe, str(tmp_path / "folder.yaml"))


# Anything at all

DOCUMENT = yaml.safe_load(RECIPE)
OPTIONS = [
    *RunConfig.model_fields,
    *(f"train.{option}" for option in Train.model_fields),
    *(f"data.{option}" for option in OneShot.model_fields),
    *(f"evaluation.{option}" for option in ("data.kind", "data.name", "samples", "problem")),
    *("model.name", "adapter.kind", "adapter.rank", "adapter.rnak", "validation.problems", "expected.accuracy"),
    *("rewards.0", "rewards.0.kind", "rewards.1.weight", "rewards.2", "trl.beta", "trl.x", "tiers", "nothing"),
]
WORDS = ["one_shot", "problems", "format", "lora", "grpo", "sandbox", "sandbox:chain", "boxed", "kind", "-1", "1e-5"]
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(WORDS)
values = st.recursive(
    scalars | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["kind", "name", "index", "x"]) | st.text(max_size=3) | st.integers(), inner)
    ),
    max_leaves=4,
)
paths = st.sampled_from(OPTIONS) | st.lists(st.sampled_from(["rewards", "0", "1", "kind", "", "trl"])).map(".".join)
typed = st.one_of(
    values.map(lambda value: yaml.safe_dump(value, default_flow_style=True, width=999).removesuffix("\n...\n").strip()),
    st.text(alphabet="[]{}:,&*!|>'\"%@`#-=.0123456789abx_ \n\t", max_size=12),
)
overrides = st.builds("{}={}".format, paths, typed) | st.text(max_size=10)


def is_a_config_or_a_sentence(action):
    try:
        config = action()
    except ConfigError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert isinstance(config, RunConfig)
        assert config.explained()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(overrides, min_size=1, max_size=4))
def test_whatever_is_typed_gives_a_config_or_a_sentence(plan, typed):
    is_a_config_or_a_sentence(lambda: plan.resolve("sandbox", tuple(typed)))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(changes=st.lists(st.tuples(paths, values), min_size=1, max_size=4), removed=st.sets(paths, max_size=1))
def test_whatever_stands_in_the_file_gives_a_config_or_a_sentence(tmp_path_factory, changes, removed):
    document = deepcopy(DOCUMENT)
    for path, value in [*changes, *((path, None) for path in removed)]:
        place, (*parents, last) = document, path.split(".")
        for key in parents:
            place = place.get(key) if isinstance(place, dict) else None
        if isinstance(place, dict) and path in removed:
            place.pop(last, None)
        elif isinstance(place, dict):
            place[last] = value
    text = yaml.safe_dump(document)
    is_a_config_or_a_sentence(lambda: write(tmp_path_factory.getbasetemp(), text).resolve("sandbox"))


def test_another_kind_of_adapter_starts_from_its_own_defaults():
    plan = read_recipe("rlvr")
    config = plan.resolve("sandbox", ("adapter.kind=lora_xs", "adapter.rank=8"))
    assert config.adapter == type(config.adapter)(rank=8, targets="mlp")
    assert config.learning_rate == config.adapter.sandbox_learning_rate
    assert plan.resolve("sandbox", ("adapter.kind=lora_xs", "train.learning_rate=0.5")).learning_rate == 0.5
    same = plan.resolve("sandbox", ("adapter.kind=lora", "adapter.rank=8"))
    assert same.learning_rate == plan.resolve("sandbox").learning_rate
    assert same.adapter.targets == plan.resolve("sandbox").adapter.targets


@pytest.mark.parametrize("tier", ["t4", "24gb", "80gb"])
def test_one_problem_and_all_of_them_differ_in_their_data_and_groups_alone(tier):
    """`rlvr` is the yardstick of `one_shot_rlvr` on a card: their files repeat each other, and stay the same."""
    one, many = (read_recipe(name).resolve(tier).model_dump() for name in ("one_shot_rlvr", "rlvr"))
    assert {name for name in one if one[name] != many[name]} == {"recipe", "about", "paper", "data", "train"}
    assert {name for name, value in one["train"].items() if many["train"][name] != value} == {"group_size"}
    assert {name for name, value in many["data"].items() if one["data"].get(name) != value} == {"kind"}


def test_lora_xs_has_the_papers_values_and_on_the_sandbox_those_that_do_well_there():
    def resolved(tier, *overrides):
        config = read_recipe("rlvr").resolve(tier, ("adapter.kind=lora_xs", "train.learning_rate=null", *overrides))
        return config.adapter.rank, config.adapter.targets, config.learning_rate

    assert resolved("t4") == (64, "all-linear", 4e-3)
    assert resolved("sandbox") == (24, "mlp", 5e-3)
    assert resolved("sandbox", "adapter.rank=8", "adapter.targets=attention") == (8, "attention", 5e-3)
