import pytest

from tinyreason.algorithms.rewards.shorter_better import ShorterBetter
from tinyreason.store import Store


def test_tokens_away_from_the_groups_shortest_correct_answer_cost_beta(rollouts):
    # the shortest correct one is 40 long
    batch = rollouts([40, 60, 30, 70], correct=[1, 1, 0, 0])
    earned = ShorterBetter(beta=0.01)(batch, Store()).tolist()
    assert earned == pytest.approx([2.0, 1.8, -0.1, -0.3])


def test_a_group_without_a_correct_answer_is_pulled_to_its_mean(rollouts):
    earned = ShorterBetter(beta=0.01)(rollouts([20, 40, 90], correct=[0, 0, 0]), Store()).tolist()
    assert earned == pytest.approx([-0.3, -0.1, -0.4])


def test_the_published_beta(rollouts):
    batch = rollouts([1000, 3000], correct=[1, 1], limit=6000)
    assert ShorterBetter()(batch, Store()).tolist() == pytest.approx([2.0, 0.0])
