import pytest
import torch

from tinyreason.algorithms.advantages.grpo_lead import GrpoLead
from tinyreason.store import Store


def test_the_advantage_is_weighted_by_difficulty_up_by_p_and_down_by_1_minus_p(batch_of):
    # p = 0.25, z = 1.5 and −0.5; w(0.25) = 0.4 + 1.1/(1 + e^−5) = 1.4926, w(0.75) = 0.4 + 1.1/2 = 0.95
    batch = batch_of(["x"] * 4, correct=[1.0, 0, 0, 0], reward=[1, 0, 0, 0])
    found = GrpoLead()(batch, torch.zeros(4), Store()).tolist()
    assert found == pytest.approx([1.5 * 1.49264] + [-0.5 * 0.95] * 3, abs=1e-3)


def test_the_weight_looks_at_correctness_not_at_the_shaped_reward(batch_of):
    # all correct: w(1) = 0.4 + 1.1/(1 + e^2.5) = 0.48344 up, w(0) = 0.4 + 1.1/(1 + e^−7.5) = 1.49939 down
    batch = batch_of(["x"] * 2, correct=[1.0, 1.0], reward=[1.0, 0.5])
    found = GrpoLead()(batch, torch.zeros(2), Store()).tolist()
    assert found == pytest.approx([0.70711 * 0.48344, -0.70711 * 1.49939], abs=1e-3)
