import pytest
import torch

from tinyreason.algorithms.advantages import ADVANTAGES, estimate
from tinyreason.algorithms.advantages.mgpo import Mgpo
from tinyreason.store import Store

CHAIN = [ADVANTAGES["grpo"](), Mgpo()]


def test_a_group_counts_most_where_half_of_it_is_correct(batch_of):
    # p = 1/4: D = 0.25 ln 0.5 + 0.75 ln 1.5 = 0.1308, e^−D = 0.8774, of 1.5 and −0.5; p = 1/2: D = 0
    rewards = [1.0, 0, 0, 0, 1, 1, 0, 0]
    found = estimate(CHAIN, batch_of(["x"] * 8, rewards, rewards, group_size=4), torch.zeros(8), Store()).tolist()
    assert found == pytest.approx([1.3161] + [-0.4387] * 3 + [0.8660] * 2 + [-0.8660] * 2, abs=1e-4)


def test_lam_says_how_steeply_and_a_shaped_reward_says_nothing_of_the_pass_rate(batch_of):
    # all correct: D = ln 2, so 1/2 at lam 1 and 1/4 at lam 2; of advantages 1 and −1
    batch = batch_of(["x"] * 2, [1.0, 1.0], [1.0, 0.5])
    assert Mgpo()(batch, torch.tensor([1.0, -1.0]), Store()).tolist() == pytest.approx([0.5, -0.5])
    assert Mgpo(lam=2)(batch, torch.tensor([1.0, -1.0]), Store()).tolist() == pytest.approx([0.25, -0.25])
    assert Mgpo(lam=0)(batch, torch.tensor([1.0, -1.0]), Store()).tolist() == [1, -1]


def test_advantages_of_tokens_are_weighted_by_row_and_a_group_without_a_grade_stays_as_it_is(batch_of):
    batch = batch_of(["x"] * 4, [1.0, 1.0, torch.nan, torch.nan], [1.0, 0.5, 1, 0], group_size=2)
    given = torch.tensor([[1.0, -1.0, 3.0]]).repeat(4, 1)
    found = Mgpo()(batch, given, Store())
    assert torch.allclose(found[:2], given[:2] / 2) and torch.equal(found[2:], given[2:])
