import pytest
import torch

from tinyreason.algorithms.advantages.maxrl import Maxrl
from tinyreason.store import Store


def test_rare_successes_weigh_most(batch_of):
    # p = 1/4: (1 − 1/4)/(1/4) = 3, −1; p = 3/4: 1/3, −1; nobody correct: 0
    correct = [1.0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0]
    found = Maxrl()(batch_of(["x"] * 12, correct, [0.5] * 12, group_size=4), torch.zeros(12), Store()).tolist()
    assert found == pytest.approx([3, -1, -1, -1, 1 / 3, 1 / 3, 1 / 3, -1, 0, 0, 0, 0])
