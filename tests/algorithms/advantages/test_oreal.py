import pytest
import torch

from tinyreason.algorithms.advantages.oreal import Oreal
from tinyreason.store import Store


def test_each_is_compared_with_the_others_and_both_sides_are_normalised_by_their_tokens(batch_of):
    # 1 − (−1/3) = 4/3 and −4/3; correct 10 + 30 of 100 tokens: ·2.5; incorrect 20 + 40: ·0.5 · 100/60
    batch = batch_of(["x" * 9, "x" * 19, "x" * 39, "x" * 29], [1.0, 0, 0, 1], [0.5] * 4)
    found = Oreal()(batch, torch.zeros(4), Store()).tolist()
    assert found == pytest.approx([3.3333, -1.1111, -1.1111, 3.3333], abs=1e-4)


def test_tokens_are_those_of_the_batch_and_a_one_sided_group_has_no_gradient(batch_of):
    # of 40 tokens 10 are incorrect and 30 correct: (1 − (−1)) · 40/30, (−1 − 1) · 0.5 · 40/10; nan has no tokens
    correct = [1.0, 0, 1, 1, torch.nan, torch.nan]
    found = Oreal()(batch_of(["x" * 9] * 6, correct, group_size=2), torch.zeros(6), Store()).tolist()
    assert found == pytest.approx([2.6667, -4, 0, 0, 0, 0], abs=1e-4)
