"""What holds for every advantage estimator."""

from itertools import permutations

import pytest
import torch

from tinyreason.algorithms.advantages import ADVANTAGES
from tinyreason.store import Store


@pytest.mark.parametrize("kind", ADVANTAGES)
@pytest.mark.parametrize("value", [0.0, 1.0, torch.nan])
def test_equal_rewards_give_no_gradient(kind, value, batch_of):
    batch = batch_of(["x"] * 8, reward=[value] * 8, group_size=4)
    assert ADVANTAGES[kind]()(batch, torch.ones(8), Store()).abs().max() < 1e-6


@pytest.mark.parametrize("kind", ADVANTAGES)
def test_a_groups_advantages_depend_on_that_group_alone(kind, batch_of):
    one = batch_of(["x"] * 8, reward=[1, 0, 0, 0, 1, 1, 0, 0], group_size=4)
    other = batch_of(["x"] * 8, reward=[1, 0, 0, 0, 0, 0, 1, 0], group_size=4)
    first, second = (ADVANTAGES[kind]()(batch, torch.zeros(8), Store()) for batch in (one, other))
    assert torch.equal(first[:4], second[:4])
    assert not torch.equal(first[4:], second[4:])


@pytest.mark.parametrize("kind", ADVANTAGES)
def test_the_order_inside_a_group_changes_nothing(kind, batch_of):
    texts, rewards, correct = ["x", "xxx", "x", "xx", "x"], [0.1, 0.9, 0.5, 0.2, torch.nan], [0.0, 1, 1, 0, torch.nan]
    straight = ADVANTAGES[kind]()(batch_of(texts, correct, rewards), torch.zeros(5), Store())
    for order in permutations(range(5)):
        batch = batch_of(*([side[n] for n in order] for side in (texts, correct, rewards)))
        shuffled = ADVANTAGES[kind]()(batch, torch.zeros(5), Store())
        assert torch.allclose(straight[list(order)], shuffled, atol=1e-6)


@pytest.mark.parametrize("kind", ADVANTAGES)
def test_the_better_rollout_has_the_higher_advantage_and_a_group_sums_to_0(kind, batch_of):
    rewards = [0.1, 0.9, 0.5, 0.2]
    advantages = ADVANTAGES[kind]()(batch_of(["x"] * 4, reward=rewards, group_size=4), torch.zeros(4), Store())
    assert advantages.argsort().tolist() == torch.tensor(rewards).argsort().tolist()
    if kind != "grpo_lead":  # which weighs ups and downs differently
        assert advantages.sum().abs() < 1e-5
