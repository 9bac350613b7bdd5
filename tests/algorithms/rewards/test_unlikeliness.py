import pytest
import torch

from tinyreason.algorithms.rewards.unlikeliness import Unlikeliness
from tinyreason.cli.train_output import caveats
from tinyreason.config.recipe import read_recipe
from tinyreason.store import Store


def earned(batch_of, sums, correct, group_size=None):
    logp = [[value, -1.0] for value in sums]
    return Unlikeliness()(batch_of(["x"] * len(sums), correct, group_size=group_size, logp=logp), Store()).tolist()


def test_the_likeliest_correct_answer_earns_least(batch_of):
    assert earned(batch_of, [-1.0, -2, -3, -4], [1.0] * 4) == pytest.approx([0.75, 0.8125, 0.875, 0.9375])


def test_ranks_are_among_all_graded_ones_of_the_group_and_equal_ones_share_theirs(batch_of):
    found = earned(batch_of, [-2.0, -1, -2.0005, -3], [1.0, 0, 1, 0])
    assert found == pytest.approx([0.8125, 0, 0.8125, 0])
    # of two, the other cannot be graded; each group by itself
    found = earned(batch_of, [-2.0, -1, -9, -1, -2, -3], [1.0, 1, torch.nan, 1, 1, 1], 3)
    assert found == pytest.approx([0.875, 0.75, torch.nan, 0.75, 0.8333, 0.9167], abs=1e-4, nan_ok=True)


def test_it_is_the_sum_not_the_mean_that_ranks(batch_of):
    batch = batch_of(["xxx", ""], [1.0, 1], logp=[[-0.5] * 4, [-1.0, 0, 0, 0]])
    assert Unlikeliness()(batch, Store()).tolist() == [0.875, 0.75]


def test_with_an_advantage_that_divides_by_the_standard_deviation_a_run_says_what_comes_of_it():
    words = ("rewards=[{kind: unlikeliness}]", "advantage.kind=grpo")
    assert any("unlikeliness alone differs" in line for line in caveats(read_recipe("rlvr").resolve("sandbox", words)))
