import pytest
import torch

from tinyreason.algorithms.advantages.lite_ppo import LitePpo
from tinyreason.store import Store


@pytest.mark.parametrize(("std_of", "high", "low"), [("rewards", 1.4031, 0.4677), ("centred", 1.6202, 0.5401)])
def test_the_groups_mean_is_taken_off_and_the_batchs_standard_deviation_divides(batch_of, std_of, high, low):
    # half of all eight is 1: std sqrt(2/7) = 0.5345; centred 0.75, −0.25, …: std sqrt(1.5/7) = 0.4629
    batch = batch_of(["x"] * 8, reward=[1, 0, 0, 0, 1, 1, 1, 0], group_size=4)
    found = LitePpo(std_of=std_of)(batch, torch.zeros(8), Store()).tolist()
    assert found == pytest.approx([high, -low, -low, -low, low, low, low, -high], abs=1e-4)


def test_a_group_of_almost_equal_rewards_is_not_blown_up(batch_of):
    # means 0.995 and 0.5 of each two: 0.005 over the std of 1, 0.99, 1, 0 = 0.4985
    batch = batch_of(["x"] * 4, reward=[1, 0.99, 1, 0], group_size=2)
    assert LitePpo()(batch, torch.zeros(4), Store())[:2].tolist() == pytest.approx([0.01003, -0.01003], abs=1e-4)
