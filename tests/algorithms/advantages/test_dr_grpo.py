import pytest
import torch

from tinyreason.algorithms.advantages.dr_grpo import DrGrpo
from tinyreason.store import Store


def test_it_is_the_distance_from_the_groups_mean(batch_of):
    batch = batch_of(["x"] * 8, reward=[1, 0, 0, 0, 1, 1, 0, 0], group_size=4)
    advantages = DrGrpo()(batch, torch.zeros(8), Store())
    assert advantages.tolist() == pytest.approx([0.75, -0.25, -0.25, -0.25, 0.5, 0.5, -0.5, -0.5])


def test_a_rollout_that_cannot_be_graded_counts_in_no_mean_and_gets_0(batch_of):
    batch = batch_of(["x"] * 3, reward=[1, 0, torch.nan], group_size=3)
    assert DrGrpo()(batch, torch.zeros(3), Store()).tolist() == [0.5, -0.5, 0.0]
