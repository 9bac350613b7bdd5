import pytest
import torch

from tinyreason.algorithms.rewards.ufo_retry import UfoRetry
from tinyreason.store import Store


def test_each_try_halves_it_and_answers_given_before_take_off(rollouts):
    tries = [["3", "2"], ["3", " 3", "2"], ["X", "x", "x ", "x", "X"], [None, None], ["3"]]
    batch = rollouts([9] * 5, correct=[1, 1, 0, 0, torch.nan])
    batch.facts = [{"answers": answers} for answers in tries]
    found = UfoRetry()(batch, Store()).tolist()
    assert found == pytest.approx([0.5, 0.0833, -0.4, 0.0, torch.nan], abs=1e-4, nan_ok=True)
