import pytest
import torch

from tinyreason.algorithms.advantages.nsr import Nsr
from tinyreason.store import Store


def test_incorrect_ones_count_fully_correct_ones_hardly_and_there_is_no_baseline(batch_of):
    batch = batch_of(["x"] * 8, [1.0, 0, 0, torch.nan, 0, 0, 0, 0], [0.5] * 8, group_size=4)
    assert Nsr()(batch, torch.zeros(8), Store()).tolist() == pytest.approx([0.1, -1, -1, 0, -1, -1, -1, -1])
    found = Nsr(positive_weight=0)(batch, torch.zeros(8), Store()).tolist()
    assert found == [0, -1, -1, 0, -1, -1, -1, -1]
