import pytest
import torch

from tinyreason.algorithms.advantages.grpo import Grpo
from tinyreason.store import Store


def test_it_is_the_distance_from_the_groups_mean_in_its_standard_deviations(batch_of):
    # group 1: mean 0.25, sample std 0.5; group 2: mean 0.5, sample std sqrt(1/3)
    batch = batch_of(["x"] * 8, reward=[1, 0, 0, 0, 1, 1, 0, 0], group_size=4)
    advantages = Grpo()(batch, torch.zeros(8), Store())
    assert advantages[:4].tolist() == pytest.approx([1.5, -0.5, -0.5, -0.5], abs=1e-4)
    assert advantages[4:].tolist() == pytest.approx([0.866, 0.866, -0.866, -0.866], abs=1e-3)


def test_a_rollout_that_cannot_be_graded_counts_in_no_mean_and_gets_0(batch_of):
    batch = batch_of(["x"] * 3, reward=[1, 0, torch.nan], group_size=3)
    assert Grpo()(batch, torch.zeros(3), Store()).tolist() == pytest.approx([0.7071, -0.7071, 0.0], abs=1e-3)
