import pytest

from tinyreason.algorithms.rewards.alp_length import AlpLength
from tinyreason.store import Store


def test_a_token_costs_beta_times_the_groups_pass_rate(rollouts):
    # p = 0.5: 0.01 · 40 · 0.5 = 0.2
    batch = rollouts([40, 80, 40, 80], correct=[1, 1, 0, 0])
    assert AlpLength(beta=0.01)(batch, Store()).tolist() == pytest.approx([0.8, 0.6, -0.2, -0.4])


def test_the_length_is_divided_by_the_papers_constant(rollouts):
    # c − (β/N)·L·max(p, 1/G): N = 100, p = 0.5, β = 0.4: 0.4 · 0.4 · 0.5 = 0.08
    batch = rollouts([40, 80, 40, 80], correct=[1, 1, 0, 0])
    earned = AlpLength(beta=0.4, normalizer=100)(batch, Store()).tolist()
    assert earned == pytest.approx([0.92, 0.84, -0.08, -0.16])


def test_in_a_group_without_a_correct_answer_the_price_is_that_of_one_in_the_group(rollouts):
    assert AlpLength(beta=0.01)(rollouts([40] * 4, correct=[0] * 4), Store()).tolist() == pytest.approx([-0.1] * 4)
