import pytest
import torch

from tinyreason.algorithms.advantages.light_if import LightIf
from tinyreason.store import Store

A = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
LOGP = [[-0.1, -2.0], [-0.1, -2.0]]


def test_the_bonus_is_where_advantage_and_log_probability_are_large_together(batch_of):
    # covariances 0.95, −0.95, −0.95, 0.95: 10 · softmax 4.3495, 0.6505; −log p − H of 0.1 − 0.5 and 2 − 0.5
    batch = batch_of(["x"] * 2, reward=[1, 0], logp=LOGP, entropy=[[0.5] * 2] * 2)
    added = LightIf(weight=2)(batch, A, Store()) - A
    wanted = [2 * 4.3495 * -0.4, 2 * 0.6505 * 1.5, 2 * 0.6505 * -0.4, 2 * 4.3495 * 1.5]
    assert added.flatten().tolist() == pytest.approx(wanted, abs=1e-3)


def test_no_coefficient_is_above_5_and_what_cannot_be_graded_has_none(batch_of):
    batch = batch_of(["x", "", "x"], reward=[1, 0, torch.nan], logp=[[-0.1, -9.0], [-0.1, 0], [-50.0, -50.0]])
    batch.entropy = torch.zeros(3, 2)
    added = LightIf()(batch, torch.tensor([1.0, -1, 0]), Store()) - torch.tensor([[1.0, 1], [-1, 0], [0, 0]])
    # A mean 1/3, log p mean −3.0667: covariances 1.9778, −3.9556, −3.9556: softmax 0.9947, 0.0026, 0.0026
    assert added.flatten().tolist() == pytest.approx([5 * 0.1, 0.02643 * 9, 0.02643 * 0.1, 0, 0, 0], abs=1e-3)
    assert not LightIf()(batch_of(["x"], reward=[torch.nan]), torch.zeros(1), Store()).any()
