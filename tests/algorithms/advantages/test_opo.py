import pytest
import torch

from tinyreason.algorithms.advantages.opo import Opo
from tinyreason.store import Store


def test_a_long_completion_counts_more_in_the_baseline(batch_of):
    # (100·1 + 300·0)/400 = 1/4
    batch = batch_of(["x" * 99, "x" * 299], reward=[1, 0])
    assert Opo()(batch, torch.zeros(2), Store()).tolist() == pytest.approx([0.75, -0.25])


def test_what_cannot_be_graded_has_no_length_either(batch_of):
    batch = batch_of(["x" * 99, "x" * 299, "x" * 999], reward=[1, 0, torch.nan])
    assert Opo()(batch, torch.zeros(3), Store()).tolist() == pytest.approx([0.75, -0.25, 0])
