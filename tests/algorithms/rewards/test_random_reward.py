import torch

from tinyreason.algorithms.rewards.random_reward import RandomReward
from tinyreason.store import Store

TEXTS = [f"completion {n}" for n in range(2000)]


def test_it_is_a_fair_coin_that_knows_nothing_of_the_answer(batch_of):
    correct = [float(n % 2) for n in range(2000)]
    reward = RandomReward()(batch_of(TEXTS, correct), Store())
    assert set(reward.tolist()) == {0.0, 1.0}
    assert abs(reward.mean().item() - 0.5) < 0.04
    assert abs(torch.corrcoef(torch.stack([reward, torch.tensor(correct)]))[0, 1].item()) < 0.07


def test_another_seed_or_another_step_tosses_again(batch_of):
    batch, later = batch_of(TEXTS), batch_of(TEXTS)
    later.step = 2
    first = RandomReward()(batch, Store())
    assert not torch.equal(first, RandomReward(seed=1)(batch, Store()))
    assert not torch.equal(first, RandomReward()(later, Store()))
