import pytest
import torch

from tinyreason.algorithms.advantages.flowrl import Flowrl
from tinyreason.store import Store


def test_where_policy_and_reference_agree_it_is_grpo(batch_of):
    # 2 · 15 · 1 and −30 of the published loss, here over 30; two rewards are ±0.7071 of their standard deviations
    batch = batch_of(["x"] * 2, reward=[1, 0], logp=[[-0.5, -0.5]] * 2, ref_logp=[[-0.5, -0.5]] * 2)
    assert Flowrl()(batch, torch.zeros(2), Store()).tolist() == pytest.approx([0.7071, -0.7071], abs=1e-4)


def test_what_became_likelier_than_the_reference_has_it_is_held_back(batch_of):
    # ref − l: −0.3 and +0.1, mean −0.1; over beta 2: −0.1 and 0.1. A third without a reward has no part in it
    logp, ref_logp = [[-0.1, -0.3], [-0.6, -0.6], [-9.0, -9.0]], [[-0.5, -0.5], [-0.3, -0.7], [0.0, 0.0]]
    batch = batch_of(["x"] * 3, reward=[1, 0, torch.nan], logp=logp, ref_logp=ref_logp)
    found = Flowrl(beta=2)(batch, torch.zeros(3), Store())
    assert found.tolist() == pytest.approx([0.6071, -0.6071, 0], abs=1e-4)
    even = batch_of(["x"] * 3, reward=[1, 1, torch.nan], logp=logp, ref_logp=ref_logp)
    assert Flowrl(beta=2)(even, torch.zeros(3), Store()).tolist() == pytest.approx([-0.1, 0.1, 0], abs=1e-4)
