"""Code of the person's own: named in a config, never run by it, run in a process that can be ended."""

import re
import textwrap
import time
from dataclasses import replace
from random import Random

import pytest
import torch

from tinyreason.algorithms.advantages import OwnAdvantage
from tinyreason.algorithms.rewards import OwnReward, weigh
from tinyreason.algorithms.samplers import OwnSampler
from tinyreason.config.own_code import check_allowed
from tinyreason.config.preconditions import check_preconditions
from tinyreason.config.recipe import read_recipe
from tinyreason.config.run_config import RunConfig
from tinyreason.data import OwnData
from tinyreason.errors import ConfigError, DataError, TeacherError
from tinyreason.own_code import process, reference
from tinyreason.own_code.process import end_processes
from tinyreason.pipeline.own_code import load_own_code, own_samplers
from tinyreason.store import Store
from tinyreason.teachers import OwnTeacher
from tinyreason.teachers.request import Request, Work

GOOD = """
def reward(completions, answers, *, lengths, bonus=1.0, **meta):
    assert len(completions) == len(answers) == len(meta["problems"]) == len(meta["correct"])
    return [bonus * (answer in text) - length / 1000 for text, answer, length in zip(completions, answers, lengths)]

class Plain:
    def __init__(self, factor=1):
        self.factor, self.calls = factor, 0
    def __call__(self, completions, answers):
        self.calls += 1
        return [self.factor * self.calls] * len(completions)

def none(completions, answers):
    return [None] * len(completions)
"""
LEAF = """
from tinyreason.algorithms.rewards._reward import Reward

class Visits(Reward):
    price: float = 1.0
    def __call__(self, batch, store):
        seen = store.get("visits", "0", 0) + len(batch.texts)
        store.put("visits", "0", seen)
        return batch.correct.new_full((len(batch.texts),), self.price * seen)
"""
BAD = """
import os, random, sys, time

def raises(completions, answers):
    table = {}
    return [table[answer] for answer in answers]

def hangs(completions, answers):
    while True:
        pass

def sleeps(completions, answers):
    time.sleep(60)

def few(completions, answers):
    return [0.0] * (len(completions) - 1)

def nan(completions, answers):
    return [float("nan")] * len(completions)

def text(completions, answers):
    return ["high"] * len(completions)

def nothing(completions, answers):
    print("forgot to return")

def dies(completions, answers):
    os._exit(3)

def leaves(completions, answers):
    sys.exit("enough")

def takes(completions, answers, bonus):
    return [bonus] * len(completions)

number = 3
"""


@pytest.fixture(autouse=True)
def alone():
    """Every test begins with nothing allowed, and ends its processes."""
    before = set(reference.ALLOWED)
    reference.ALLOWED.clear()
    yield
    end_processes()
    reference.ALLOWED.clear()
    reference.ALLOWED.update(before)


@pytest.fixture
def own(tmp_path):
    """Makes a leaf of code in a file, which may run."""

    def make(kind, text, name, **options):
        file = tmp_path / "mine.py"
        file.write_text(textwrap.dedent(text))
        return kind(kind=f"{file}:{name}", **options).allow()

    return make


# What a config makes of it


def resolved(*overrides, recipe="rlvr"):
    return read_recipe(str(recipe)).resolve("sandbox", overrides)


def recipe_in(folder, **more):
    folder.mkdir(exist_ok=True)
    (folder / "mine.py").write_text("raise SystemExit('never run by a config')\ndef reward(completions, answers): ...")
    file = folder / "mine.yaml"
    file.write_text("extends: rlvr\nrewards: [{kind: correctness}, {kind: ./mine.py:reward, weight: 0.5, bonus: 2}]\n")
    return file


def test_a_file_in_a_recipe_is_beside_it_and_a_typed_one_in_the_current_folder(tmp_path, monkeypatch):
    file = recipe_in(tmp_path / "theirs")
    monkeypatch.chdir(tmp_path)
    reward = resolved(recipe=file).rewards[1]
    assert (reward.kind, reward.weight, reward.options) == ("mine.py:reward", 0.5, {"bonus": 2})
    assert reward.code == tmp_path / "theirs" / "mine.py" and len(reward.code_sha256) == 64
    (tmp_path / "mine.py").write_text("def reward(completions, answers): ...")
    typed = resolved("rewards=[{kind: ./mine.py:reward}]", recipe=file).rewards[0]
    assert typed.code.resolve() == tmp_path / "mine.py"


def test_a_config_with_own_code_is_read_back_as_it_was_written(tmp_path):
    config = resolved(recipe=recipe_in(tmp_path / "theirs"))
    assert RunConfig.model_validate(config.model_dump(mode="json")) == config
    (tmp_path / "theirs" / "mine.py").unlink()  # a run of the past is read after its code is gone
    assert RunConfig.model_validate(config.model_dump(mode="json"), context={"is_past": True}) == config


def test_who_types_a_file_allows_it_and_a_recipe_alone_does_not(tmp_path, monkeypatch):
    file = recipe_in(tmp_path / "theirs")
    with pytest.raises(ConfigError, match="add --allow-code"):
        check_allowed(resolved(recipe=file))
    with pytest.raises(ConfigError, match="add --allow-code"):  # another option of the same reward is no consent
        check_allowed(resolved("rewards.1.weight=2", recipe=file))
    monkeypatch.chdir(tmp_path / "theirs")
    check_allowed(resolved("rewards.0.kind=mine.py:reward"))
    reference.ALLOWED.clear()
    check_allowed(resolved("rewards=[{kind: ./mine.py:reward}]"))
    (tmp_path / "theirs" / "mine.py").write_text("def reward(completions, answers): return 'changed'")
    with pytest.raises(ConfigError, match="add --allow-code"):  # what was allowed is what stood in it
        check_allowed(resolved(recipe=file))
    check_allowed(resolved(recipe=file), allow=True)


def test_code_that_nobody_allowed_is_refused_where_it_would_run(tmp_path, batch_of):
    (tmp_path / "mine.py").write_text(GOOD)
    with pytest.raises(ConfigError, match="read that file"):
        OwnReward(kind=f"{tmp_path}/mine.py:reward")(batch_of(["x"]), Store())


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("./mine.py", "names no function or class"),
        ("./mine.py:rewrd", "did you mean 'reward'"),
        ("./none.py:reward", "there is no file none.py"),
        ("./odd.py:reward", "odd.py line 2 is not Python"),
        ("./folder.py:reward", "there is no file folder.py"),
        ("corectness", "did you mean 'correctness'"),
    ],
)
def test_what_can_be_seen_to_be_wrong_is_one_sentence_without_running_it(kind, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("raise SystemExit\ndef reward(completions, answers): ...")
    (tmp_path / "odd.py").write_text("x = 1\ndef reward(:\n")
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(ConfigError, match=re.escape(words)):
        check_preconditions(resolved(f"rewards=[{{kind: {kind}}}]"))


# What it is asked, and what it may answer


def test_a_function_gets_completions_answers_and_what_it_names(own, batch_of):
    reward = own(OwnReward, GOOD, "reward", bonus=2)
    assert reward(batch_of(["it is 2", "none"]), Store()).tolist() == pytest.approx([2 - 0.008, -0.005])
    batch = batch_of(["it is 2"])
    values = weigh([reward.model_copy(update={"weight": 0.5})], batch, Store())
    assert batch.reward.tolist() == pytest.approx([0.5 * (2 - 0.008)]) and [*values] == ["mine.py:reward"]


def test_a_class_is_made_once_with_its_options(own, batch_of):
    reward = own(OwnReward, GOOD, "Plain", factor=3)
    assert [reward(batch_of(["x"]), Store()).tolist() for _ in range(2)] == [[3.0], [6.0]]


def test_a_class_like_ours_has_a_store_that_checkpoints_save(own, batch_of):
    reward, store = own(OwnReward, LEAF, "Visits", price=2), Store()
    assert reward(batch_of(["x", "y"]), store).tolist() == [4.0, 4.0]
    assert reward(batch_of(["x", "y"]), Store(store.state)).tolist() == [8.0, 8.0]  # the store of a checkpoint
    assert reward(batch_of(["x", "y"]), Store()).tolist() == [4.0, 4.0]  # its process remembers nothing beside it


def test_none_is_what_cannot_be_told(own, batch_of):
    assert own(OwnReward, GOOD, "none")(batch_of(["x"]), Store()).isnan().all()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raises", "mine.py:raises line 6: KeyError: '2'"),
        ("hangs", "mine.py:hangs line "),
        ("sleeps", "mine.py:sleeps line 13: it took longer than its time limit of 0.5 s"),
        ("few", "mine.py:few (line 15) returned 1 numbers for 2 completions"),
        ("nan", "mine.py:nan (line 18) returned nan for completion 1 of 2"),
        ("text", "mine.py:text (line 21) returned 'high' for completion 1 of 2"),
        ("nothing", "mine.py:nothing (line 24) returned a NoneType"),
        ("dies", "mine.py:dies: its process ended by itself, with exit code 3"),
        ("leaves", "mine.py:leaves line 31: SystemExit: enough"),
        ("takes", "TypeError"),
        ("number", "it is a int, neither a function nor a class"),
    ],
)
def test_what_it_does_wrong_is_one_sentence_with_its_line(name, words, own, batch_of):
    reward = own(OwnReward, BAD, name, time_limit_s=0.5)
    with pytest.raises(ConfigError, match=re.escape(words)) as caught:
        reward(batch_of(["it is 2", "y"]), Store())
    if name == "hangs":
        assert re.search(r"line (9|10): it took longer than its time limit of 0.5 s", str(caught.value))


def test_an_option_that_it_does_not_name_is_refused_even_beside_meta(own, batch_of):
    with pytest.raises(ConfigError, match="takes no option 'bonsu'; it takes completions, answers, lengths, bonus"):
        own(OwnReward, GOOD, "reward", bonsu=1)(batch_of(["x"]), Store())


def test_a_file_that_changes_under_a_run_is_refused(own, batch_of):
    reward = own(OwnReward, GOOD, "reward")
    reward.code.write_text(GOOD + "\n")
    with pytest.raises(ConfigError, match="another file than that of code_sha256"):
        reward(batch_of(["x"]), Store())


def test_a_recipe_may_say_which_file_it_means(tmp_path, monkeypatch):
    file = recipe_in(tmp_path / "theirs")
    sha256 = resolved(recipe=file).rewards[1].code_sha256
    rewards = f"rewards.1.code_sha256={sha256}"
    check_preconditions(resolved(rewards, recipe=file))
    (tmp_path / "theirs" / "mine.py").write_text("def reward(completions, answers): return 'changed'")
    with pytest.raises(ConfigError, match=f"not {sha256[:8]}"):
        check_preconditions(resolved(rewards, recipe=file))
    monkeypatch.chdir(tmp_path / "theirs")  # what config.yaml holds may stand in a recipe too
    both = resolved("rewards=[{kind: 'mine.py:reward', code: mine.py}]").rewards[0]
    assert both.code_sha256 == reference.read_sha256(both.code)


def test_a_process_that_died_leaves_none_behind_and_the_next_call_has_a_new_one(own, batch_of):
    reward = own(OwnReward, BAD, "dies")
    with pytest.raises(ConfigError, match="ended by itself"):
        reward(batch_of(["x"]), Store())
    assert not any(one.process.is_alive() for one in process._RUNNING.values())
    with pytest.raises(ConfigError, match="ended by itself"):
        reward(batch_of(["x"]), Store())


def test_the_same_step_has_the_same_random_numbers(own, batch_of):
    text = "import random\ndef reward(completions, answers):\n    return [random.random() for _ in completions]\n"
    reward = own(OwnReward, text, "reward")
    first = reward(batch_of(["x", "y"]), Store()).tolist()
    end_processes()
    assert reward(batch_of(["x", "y"]), Store()).tolist() == first


# The other families


def test_an_advantage_gets_rewards_and_may_answer_with_a_row_of_tokens(own, batch_of):
    text = """
    def advantage(rewards, group_size, *, lengths, **meta):
        mean = sum(rewards) / len(rewards)
        return [reward - mean for reward in rewards]
    def tokens(rewards, group_size):
        return [[reward, 0.0, 0.0] for reward in rewards]
    def few(rewards, group_size):
        return [0.0]
    """
    batch = batch_of(["x", "y"], reward=[1, 0])
    assert own(OwnAdvantage, text, "advantage")(batch, torch.zeros(2), Store()).tolist() == [0.5, -0.5]
    assert own(OwnAdvantage, text, "tokens")(batch, torch.zeros(2), Store()).tolist() == [[1, 0, 0], [0, 0, 0]]
    with pytest.raises(ConfigError, match=r"few \(line 7\) returned 1 numbers for 2"):
        own(OwnAdvantage, text, "few")(batch, torch.zeros(2), Store())


def test_data_are_rows_of_a_function_or_a_source_like_ours(own, jsonl):
    text = """
    from tinyreason.data import DATA
    def rows(count):
        for number in range(count):
            yield {"problem": f"What is {number} + 1?", "answer": str(number + 1)}
    def empty():
        return []
    class Odd(DATA["problems"]):
        def load(self):
            return [example for example in self.pool() if example.answer in "13579"]
    """
    data = own(OwnData, text, "rows", count=8)
    assert [example.answer for example in data.load()] == list("12345678") and data.is_taken_whole
    assert len(own(OwnData, text, "rows", count=8, size=3).load()) == 3
    with pytest.raises(DataError, match="must return a list of rows"):
        own(OwnData, text, "empty").load()
    file = jsonl(*({"problem": f"{number}?", "answer": str(number)} for number in range(6)))
    assert [example.answer for example in own(OwnData, text, "Odd", file=file).load()] == ["1", "3", "5"]


def test_a_teacher_answers_each_request(own):
    text = """
    def teach(prompt, *, gold, **meta):
        if gold == "4":
            raise KeyError(gold)
        return f"{prompt}: {gold}"
    """
    teacher, answers = own(OwnTeacher, text, "teach"), []

    def request(gold):
        from tinyreason.example import Example

        asked = {"role": "user", "content": "1+1?"}
        return Request("id", Example("0", (asked,), gold), (asked,))

    teacher.answer(Work([request("2")], answers.append))
    assert [answer.text for answer in answers] == ["1+1?: 2"]
    with pytest.raises(TeacherError, match=r"mine\.py:teach line 4: KeyError"):
        teacher.answer(Work([request("4")], answers.append))


def test_a_name_of_an_installed_package_is_found_among_its_entry_points(tmp_path, monkeypatch, batch_of):
    code = "def brief(completions, answers):\n    return [-len(text) for text in completions]\n"
    (tmp_path / "brief_reward.py").write_text(code)
    info = tmp_path / "brief_reward-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: brief-reward\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tinyreason.rewards]\nbrief = brief_reward:brief\n")
    monkeypatch.syspath_prepend(tmp_path)
    config = resolved("rewards=[{kind: brief, weight: 2}]")
    check_preconditions(config)
    check_allowed(config)  # who installed it has allowed it
    assert config.rewards[0](batch_of(["xyz"]), Store()).tolist() == [-3.0]


def test_a_call_costs_little_beside_a_step(own, batch_of):
    reward = own(OwnReward, GOOD, "reward")
    batch = batch_of(["it is 2 " * 20] * 64)
    reward(batch, Store())
    took = []
    for _ in range(20):
        begun = time.perf_counter()
        reward(batch, Store())
        took.append(time.perf_counter() - begun)
    assert min(took) < 0.02, took


# Samplers

CHOOSERS = """
def by_level(problems, count, *, metas, step, hardest=9, **meta):
    known = [place for place in range(len(problems)) if metas[place]["level"] <= min(step, hardest)]
    return [known[turn % len(known)] for turn in range(count)]

def beyond(problems, count):
    return [len(problems)] * count

def one_short(problems, count):
    return list(range(count - 1))
"""
SAMPLERS = """
from tinyreason.algorithms.samplers import SAMPLERS
from tinyreason.algorithms.samplers._sampler import Sampler

class Half(Sampler):
    by: float = 0.1
    def temperature(self, now, batch, store):
        return now + self.by
    def keep(self, batch, advantages, store):
        return advantages > 0
    def observe(self, batch, advantages, store):
        store.put("half", "seen", store.get("half", "seen", 0) + len(batch.texts))
    def metrics(self, store):
        return {"seen": store.get("half", "seen", 0)}

class Mopps(SAMPLERS["mopps"]):
    kind: str = "mine"
"""


def leveled(count):
    from tinyreason.example import Example

    asked = {"role": "user", "content": "1+1?"}
    return [Example(str(place), (asked,), "2", meta={"level": place + 1}) for place in range(count)]


def test_a_function_chooses_a_steps_problems_and_knows_which_step_it_is(own):
    sampler, store = own(OwnSampler, CHOOSERS, "by_level", hardest=2), Store()
    assert [sampler.choose(leveled(5), 4, Random(0), store) for _ in range(3)] == [[0] * 4, [0, 1] * 2, [0, 1] * 2]
    assert sampler.choose(leveled(5), 2, Random(0), Store(store.state)) == [0, 1]  # resumed at step 4
    assert sampler.decisions() == ["choose"] and sampler.metrics(store) == {}


def test_a_class_like_ours_decides_what_it_has_a_method_for(own, batch_of):
    sampler, store, batch = own(OwnSampler, SAMPLERS, "Half", by=0.5), Store(), batch_of(["x", "y"])
    advantages = torch.tensor([1.0, -1.0])
    assert sampler.decisions() == ["keep", "observe", "temperature", "metrics"]
    assert sampler.keep(batch, advantages, store).tolist() == [True, False]
    sampler.observe(batch, advantages, store)
    sampler.observe(batch, advantages, resumed := Store(store.state))
    assert sampler.metrics(resumed) == {"seen": 4.0}
    assert sampler.temperature(1.0, batch, store) == 1.5
    mopps = own(OwnSampler, SAMPLERS, "Mopps")
    assert {"choose", "observe"} <= {*mopps.decisions()}
    assert len(mopps.choose(leveled(5), 3, Random(0), store)) == 3


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("beyond", "step 1: mine.py:beyond (line 6) returned 5; return whole numbers from 0 to 4"),
        ("one_short", "returned 2 numbers; return the numbers of the 3 problems of a step"),
        ("by_level", "KeyError: 'level'"),
    ],
)
def test_a_sampler_that_chooses_what_is_not_there_is_one_sentence(name, words, own):
    problems = leveled(5) if name != "by_level" else [replace(one, meta={}) for one in leveled(5)]
    with pytest.raises(ConfigError, match=re.escape(words)):
        own(OwnSampler, CHOOSERS, name).choose(problems, 3, Random(0), Store())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["samplers=[{kind: mopps}, {kind: ./mine.py:by_level}]"], "mopps and mine.py:by_level both decide which prob"),
        (["samplers=[{kind: ./mine.py:by_level}]", "train.oversample=2"], "and no sampler says which"),
    ],
)
def test_what_two_decide_is_refused_before_any_weight_is_read(options, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(CHOOSERS)
    config = resolved(*options)
    check_preconditions(config)  # runs no code, so it cannot know
    with pytest.raises(ConfigError, match=re.escape(words)):
        load_own_code(config)


def test_samplers_that_share_the_work_are_loaded_and_a_stage_has_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(SAMPLERS)
    (tmp_path / "other.py").write_text(CHOOSERS)
    stages = "stages=[{name: first, samplers: [{kind: ./other.py:by_level}]}]"
    config = resolved("samplers=[{kind: ./mine.py:Half}, {kind: mopps}]", stages)
    load_own_code(config)
    assert [*own_samplers(config), *own_samplers(config.stage_configs[0][1])] == [
        config.samplers[0],
        config.stages[0].samplers[0],
    ]
    config = resolved("samplers=[{kind: ./mine.py:Half}, {kind: entropy_temperature}]")
    with pytest.raises(ConfigError, match="both decide the temperature"):
        load_own_code(config)
