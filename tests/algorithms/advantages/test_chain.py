"""An estimator with shapers behind it: what is given on, what cannot be, and what a config makes of it."""

from typing import ClassVar, Literal

import pytest
import torch

from tinyreason.algorithms.advantages import ADVANTAGES, check_advantages, estimate
from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.config.recipe import read_recipe
from tinyreason.errors import ConfigError
from tinyreason.store import Store


class Twice(Advantage):
    """Doubles what it is given."""

    role: ClassVar[str] = "shaper"
    kind: Literal["twice"] = "twice"

    def __call__(self, batch, advantages, store):
        return 2 * advantages


def test_a_shaper_is_given_what_stands_before_it(batch_of):
    batch = batch_of(["x"] * 4, reward=[1, 0, 0, 0], group_size=4)
    found = estimate([ADVANTAGES["dr_grpo"](), Twice()], batch, torch.zeros(4), Store())
    assert found.tolist() == [1.5, -0.5, -0.5, -0.5]


@pytest.mark.parametrize(
    ("chain", "why"),
    [
        ([Twice()], "put one before it, as advantage: \\[{kind: grpo}, {kind: twice}\\]"),
        ([ADVANTAGES["grpo"](), ADVANTAGES["dr_grpo"]()], "grpo and dr_grpo are two estimators"),
        ([ADVANTAGES["grpo"](), Twice(), Twice()], "names one twice"),
    ],
)
def test_what_is_not_one_estimator_with_shapers_is_refused(chain, why):
    with pytest.raises(ValueError, match=why):
        check_advantages(chain)


def test_a_config_takes_one_or_a_list():
    recipe = read_recipe("rlvr")
    one, several = (recipe.resolve("sandbox", (f"advantage={words}",)) for words in ("{kind: grpo}", "[{kind: grpo}]"))
    assert one.advantages == several.advantages and several.compared_by == "grpo"
    assert recipe.resolve("sandbox", ("advantage.kind=gfpo", "advantage.keep=3")).advantages[0].keep == 3
    with pytest.raises(ConfigError, match="grpo and gfpo are two estimators"):
        recipe.resolve("sandbox", ("advantage=[{kind: grpo}, {kind: gfpo}]",))
    with pytest.raises(ConfigError, match=r"advantage\.0\.kind 'grop' is unknown; did you mean 'grpo'"):
        recipe.resolve("sandbox", ("advantage=[{kind: grop}]",))
    with pytest.raises(ConfigError, match=r"no option 'advantage\.0\.keeep'"):
        recipe.resolve("sandbox", ("advantage=[{kind: gfpo, keeep: 3}]",))


def test_numbers_for_another_count_of_tokens_are_refused_in_a_sentence(batch_of):
    batch = batch_of(["xx"] * 2, reward=[1, 0])
    with pytest.raises(ConfigError, match="has 2 numbers for each rollout, and the longest has 3 tokens"):
        estimate([ADVANTAGES["rl_zvp"]()], batch, torch.zeros(2, 2), Store())
