import pytest

from tinyreason.algorithms.rewards.kimi_length import KimiLength
from tinyreason.store import Store


def test_it_ranks_a_group_from_plus_to_minus_a_half_and_incorrect_ones_gain_nothing(rollouts):
    # λ = 0.5 − (L − 20)/40: 0.5, 0.25, 0, −0.5
    batch = rollouts([20, 30, 40, 60, 20, 30, 40, 60], correct=[1] * 4 + [0] * 4, group_size=4)
    earned = KimiLength()(batch, Store()).tolist()
    assert earned == pytest.approx([0.5, 0.25, 0.0, -0.5, 0.0, 0.0, 0.0, -0.5])


def test_a_group_of_one_length_gets_0(rollouts):
    assert KimiLength()(rollouts([7, 7], correct=[1, 0]), Store()).tolist() == [0.0, 0.0]
