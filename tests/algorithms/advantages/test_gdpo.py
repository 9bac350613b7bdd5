import pytest
import torch

from tinyreason.algorithms.advantages.gdpo import Gdpo
from tinyreason.store import Store


def batch_with(batch_of, weights=(1.0, 1.0), **rewards):
    batch = batch_of(["x"] * 4, reward=rewards["correctness"])
    batch.values = {kind: torch.tensor(values) for kind, values in rewards.items()}
    batch.weights = dict(zip(rewards, weights, strict=True))
    batch.reward = sum(batch.weights[kind] * values.nan_to_num(0.0) for kind, values in batch.values.items())
    return batch


def test_each_reward_has_its_own_units_before_they_are_added(batch_of):
    # correctness ±0.8660, format 0.5 and −1.5: x = 1.3660, 1.3660, −0.3660, −2.3660, std 1.7761
    batch = batch_with(batch_of, correctness=[1.0, 1, 0, 0], format=[1.0, 1, 1, 0])
    found = Gdpo()(batch, torch.zeros(4), Store()).tolist()
    assert found == pytest.approx([0.7691, 0.7691, -0.2061, -1.3321], abs=1e-4)


def test_the_size_of_a_reward_changes_nothing_and_its_weight_does(batch_of):
    tiny = batch_with(batch_of, correctness=[1.0, 1, 0, 0], format=[0.1, 0.1, 0.1, 0])
    found = Gdpo()(tiny, torch.zeros(4), Store()).tolist()
    assert found == pytest.approx([0.7691, 0.7691, -0.2061, -1.3321], abs=1e-3)
    # x = ±0.8660 + 0.5·(0.5, 0.5, 0.5, −1.5) = 1.1160, 1.1160, −0.6160, −1.6160, std 1.3518
    light = batch_with(batch_of, (1.0, 0.5), correctness=[1.0, 1, 0, 0], format=[1.0, 1, 1, 0])
    found = Gdpo()(light, torch.zeros(4), Store()).tolist()
    assert found == pytest.approx([0.8256, 0.8256, -0.4557, -1.1954], abs=1e-3)


def test_a_reward_that_cannot_grade_a_rollout_adds_nothing_there(batch_of):
    # correctness of the first two alone: ±0.7071; format as above: x = 1.2071, −0.2071, 0.5, −1.5, std 1.1547
    batch = batch_with(batch_of, correctness=[1.0, 0, torch.nan, torch.nan], format=[1.0, 1, 1, 0])
    found = Gdpo()(batch, torch.zeros(4), Store()).tolist()
    assert found == pytest.approx([1.0454, -0.1793, 0.4330, -1.2990], abs=1e-3)
