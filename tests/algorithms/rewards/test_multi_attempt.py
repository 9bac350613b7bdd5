import pytest
import torch

from tinyreason.algorithms.rewards.multi_attempt import MultiAttempt
from tinyreason.store import Store


def test_an_answer_is_better_than_none_and_a_correct_one_best(rollouts):
    batch = rollouts([9] * 4, correct=[1, 0, 0, torch.nan], answers=["2", "3", None, "3"])
    assert MultiAttempt()(batch, Store()).tolist() == pytest.approx([1.0, -0.5, -1.0, torch.nan], nan_ok=True)
