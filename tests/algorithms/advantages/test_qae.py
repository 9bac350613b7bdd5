import pytest
import torch

from tinyreason.algorithms.advantages.qae import Qae
from tinyreason.store import Store


def advantages(batch, **options):
    return Qae(**options)(batch, torch.zeros(len(batch.texts)), Store()).tolist()


def test_a_hard_problem_has_its_successes_raised_and_an_easy_one_its_failures_lowered(batch_of):
    # p = 1/4 ≤ 0.6: baseline 0, std 1/2; p = 3/4: baseline 1
    batch = batch_of(["x"] * 8, reward=[1, 0, 0, 0, 1, 1, 1, 0], group_size=4)
    assert advantages(batch) == pytest.approx([2, 0, 0, 0, 0, 0, 0, -2], abs=1e-4)


def test_the_turn_is_at_a_pass_rate_of_1_minus_the_quantile(batch_of):
    # three of five are 0.6 ≤ 1 − 0.4; seven of ten are 0.7 ≤ 1 − 0.3, whatever rounding makes of 0.3 · 10
    assert [value > 0 for value in advantages(batch_of(["x"] * 5, reward=[1, 1, 1, 0, 0]))] == [True] * 3 + [False] * 2
    ten = batch_of(["x"] * 10, reward=[1] * 7 + [0] * 3)
    assert [value > 0 for value in advantages(ten, quantile=0.3)] == [True] * 7 + [False] * 3
    assert [value < 0 for value in advantages(ten, quantile=0.31)] == [False] * 7 + [True] * 3


def test_of_other_rewards_it_is_one_of_them(batch_of):
    # 0.4 of four is 1.6, so the second smallest, 0.2; nan is not among them; std of the four 0.3594
    batch = batch_of(["x"] * 5, reward=[0.1, 0.9, torch.nan, 0.5, 0.2])
    assert advantages(batch) == pytest.approx([-0.2782, 1.9477, 0, 0.8347, 0], abs=1e-3)
