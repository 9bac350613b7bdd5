import pytest
import torch

from tinyreason.algorithms.advantages.rloo import Rloo
from tinyreason.store import Store


def test_each_is_compared_with_the_mean_of_the_others(batch_of):
    # 1 − 0; 0 − 1/3
    found = Rloo()(batch_of(["x"] * 4, reward=[1, 0, 0, 0]), torch.zeros(4), Store()).tolist()
    assert found == pytest.approx([1, -1 / 3, -1 / 3, -1 / 3])


def test_the_others_are_those_that_are_graded(batch_of):
    batch = batch_of(["x"] * 8, reward=[1, 0, torch.nan, torch.nan, 1, 0, 0, 0], group_size=4)
    found = Rloo()(batch, torch.zeros(8), Store()).tolist()
    assert found == pytest.approx([1, -1, 0, 0, 1, -1 / 3, -1 / 3, -1 / 3])
