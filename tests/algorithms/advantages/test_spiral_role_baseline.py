import json

import pytest
import torch

from tinyreason.algorithms.advantages.spiral_role_baseline import SpiralRoleBaseline
from tinyreason.example import Example
from tinyreason.store import Store


def test_each_rollout_is_compared_with_the_mean_before_it(batch_of):
    store = Store()
    found = SpiralRoleBaseline()(batch_of(["x"] * 3, reward=[1, torch.nan, 1]), torch.zeros(3), store)
    assert found.tolist() == pytest.approx([1, 0, 0.95])  # b is 0, then 0.05; what cannot be graded leaves it
    assert store.get("spiral_role_baseline", "") == pytest.approx(0.0975)


def test_each_class_has_a_mean_of_its_own_that_outlives_a_checkpoint(batch_of):
    batch, store = batch_of(["x"] * 4, reward=[1, 1, 0, 1]), Store()
    batch.examples = [Example(str(n), (), "2", meta={"role": role}) for n, role in enumerate("aab")]
    batch.examples.append(Example("3", (), "2"))
    leaf = SpiralRoleBaseline(by="role", memory=0.5)
    assert leaf(batch, torch.zeros(4), store).tolist() == [1, 0.5, 0, 1]
    store = Store(json.loads(json.dumps(store.state)))
    assert leaf(batch, torch.zeros(4), store).tolist() == [0.25, 0.125, 0, 0.5]
