"""The arena's worlds: what enters them without an edit, and that they are what they are said to be."""

from typing import Literal

import pytest

from tinyreason.algorithms.advantages import ADVANTAGES
from tinyreason.algorithms.rewards import REWARDS
from tinyreason.config.preconditions import check_problems
from tinyreason.config.worlds import PLAIN, entries, family_of, plain_form, read_world, world_names
from tinyreason.errors import ConfigError


@pytest.mark.parametrize("name", world_names())
class TestEveryWorld:
    def test_it_says_what_it_is_for_and_has_a_budget_of_tokens(self, name):
        world = read_world(name)
        assert world.purpose and world.shows and world.hides
        config = world.plan.resolve(world.tier, seed=0)
        assert config.train.token_budget and config.model.is_built_in == (name != "real")
        assert config.train.schedule == "constant"  # where it ends is not known before

    def test_its_test_shares_no_problem_with_what_is_trained_on(self, name):
        world = read_world(name)
        config = world.plan.resolve(world.tier, seed=0)
        trained = {one.problem for one in config.data.load()}
        source = config.evaluation.data or config.data
        asked = source.held_out(config.evaluation.problems, "test", without=set())
        assert len(asked) == config.evaluation.problems and not trained & {one.problem for one in asked}

    def test_plain_training_comes_first_and_every_name_once(self, name):
        names = [entry.name for entry in entries(read_world(name))]
        assert names[0] == PLAIN and len({*names}) == len(names)


@pytest.mark.parametrize("name", world_names())
def test_its_problems_have_what_each_method_reads_of_them(name):
    world, loaded = read_world(name), {}
    for entry in entries(world):
        try:
            config = world.plan.resolve(world.tier, seed=0, variant=entry.values)
        except ConfigError:
            continue  # it does not stand here, and the arena says why
        source = config.data.model_dump_json()
        loaded[source] = loaded.get(source) or config.data.load()
        check_problems(config, loaded[source])


def test_a_new_method_enters_without_an_edit(monkeypatch):
    class Novel(ADVANTAGES["grpo"]):
        """Is new."""

        kind: Literal["novel"] = "novel"

    monkeypatch.setitem(ADVANTAGES, "novel", Novel)
    found = {entry.name: entry for entry in entries(read_world("hard"))}
    assert found["novel"].values == {"advantage": {"kind": "novel"}} and found["novel"].family == "advantages"


def test_a_method_stands_as_a_recipe_has_it_or_with_the_partners_that_its_class_names():
    found = {entry.name: entry.values for entry in entries(read_world("hard"))}
    assert found["oreal"] == {"advantage": {"kind": "oreal"}, "train": {"loss": "dapo"}}  # of recipe rlvr
    assert found["adaptthink"]["rollouts"] == {"kind": "adaptthink"}  # its class needs that plan
    assert found["spo_single_stream"] == {
        "samplers": [{"kind": "spo_single_stream"}],
        "advantage": {"kind": "spo_single_stream"},
    }
    assert plain_form("advantages", "rl_zvp")["advantage"] == [{"kind": "grpo"}, {"kind": "rl_zvp"}]
    assert found["sec_bandit"]["samplers"] == [{"kind": "sec_bandit", "by": "domain"}]  # the world's own form
    assert found["loss=cispo"] == {"train": {"loss": "cispo"}}


def test_a_variant_is_of_the_family_that_it_changes_most():
    assert family_of({"rewards": [{"kind": PLAIN}], "advantage": {"kind": "gfpo"}}) == "advantages"
    assert family_of({"rewards": [{"kind": "alp_length"}], "advantage": {"kind": "grpo"}}) == "rewards"
    assert family_of({"samplers": [{"kind": "pods"}], "train": {"oversample": 2}}) == "samplers"
    assert family_of({"train": {"loss": "cispo"}}) == "losses"


def test_without_labels_nothing_enters_that_reads_a_gold_answer():
    found = entries(read_world("none"))[1:]
    kinds = {reward["kind"] for entry in found for reward in entry.values["rewards"]}
    assert kinds >= {"rent", "empo_cluster", "format"} and not any(REWARDS[kind].reads_gold for kind in kinds)


def test_what_is_asked_for_is_checked():
    world = read_world("hard")
    assert [entry.name for entry in entries(world, "rloo,mgpo,rloo")] == [PLAIN, "rloo", "mgpo"]
    with pytest.raises(ConfigError, match="--methods 'rlo' does not enter hard; did you mean 'rloo'"):
        entries(world, "rlo")
    with pytest.raises(ConfigError, match="no world 'hrad'; did you mean 'hard'"):
        read_world("hrad")
