"""What holds for every advantage; a shaper stands behind GRPO."""

from itertools import permutations

import pytest
import torch

from tinyreason.algorithms.advantages import ADVANTAGES, estimate
from tinyreason.store import Store

NAN = torch.nan
OPTIONS = {"pass_at_k": {"k": 2}, "clip_cov": {"share": 1, "low": 0.75}, "light_if": {"weight": 0.1}}
WITH_BASELINE = [kind for kind, leaf in ADVANTAGES.items() if leaf.has_baseline]
OF_GROUP_ALONE = [kind for kind, leaf in ADVANTAGES.items() if leaf.of_group_alone]
IN_ORDER = {"spiral_role_baseline"}
"""Those in which a rollout is compared with the ones before it."""
ONE_SIDED = {"grpo_lead", "nsr", "opo", "oreal", "qae", "less_segments", "light_if", "xrpo", *IN_ORDER}
"""Those whose advantages need not add up to 0 in a group."""


@pytest.fixture
def advantages(batch_of):
    """The advantages of a kind for rewards, which say too what is correct where nothing else does.

    Of what has one for each token, the mean of each rollout.
    """

    def of(kind, reward, correct=None, texts=None, group_size=None):
        leaf = ADVANTAGES[kind](**OPTIONS.get(kind, {}))
        chain = [ADVANTAGES["grpo"](), leaf] if leaf.role == "shaper" else [leaf]
        batch = batch_of(texts or ["x"] * len(reward), correct or reward, reward, group_size)
        found = estimate(chain, batch, torch.ones(len(reward)), Store())
        if found.dim() == 2:
            assert found.shape == batch.mask.shape and not found[~batch.mask].any()
            found = batch.token_mean(found)
        assert found.dtype == torch.float32 and found.shape == (len(reward),) and found.isfinite().all()
        return found

    return of


@pytest.mark.parametrize("kind", WITH_BASELINE)
@pytest.mark.parametrize("value", [0.0, 1.0, 1.2, 0.7])  # in float32 the mean of seven times 1.2 is not 1.2
def test_equal_rewards_give_no_gradient_at_all(kind, value, advantages):
    correct = [float(value > 0)] * 14
    assert not advantages(kind, [value] * 14, correct, texts=["x", "xx"] * 7, group_size=7).any()


@pytest.mark.parametrize("kind", ADVANTAGES)
def test_what_cannot_be_graded_gets_0_and_changes_nothing_for_the_others(kind, advantages):
    assert not advantages(kind, [NAN] * 8, group_size=4).any()
    texts = ["x", "xxx", "x", "xxxxx"] * 2
    found = advantages(kind, [1, 0, 0, NAN, 0, 1, 1, NAN], texts=texts, group_size=4).view(2, 4)
    without = advantages(kind, [1, 0, 0, 0, 1, 1], texts=texts[:3] * 2, group_size=3).view(2, 3)
    assert torch.allclose(found[:, :3], without, atol=1e-6) and not found[:, 3].any()
    assert without.any()


@pytest.mark.parametrize("kind", WITH_BASELINE)
def test_a_rollout_without_others_has_nothing_to_be_compared_with(kind, advantages):
    assert not advantages(kind, [1, 0, NAN], group_size=1).any()
    assert not advantages(kind, [1, NAN, NAN, NAN], group_size=4).any()


@pytest.mark.parametrize("kind", ADVANTAGES)
def test_other_groups_change_a_groups_advantages_where_a_kind_says_so_and_nowhere_else(kind, advantages):
    texts = ["x", "xxx", "xx", "xxxxxx"] + ["x"] * 4
    found = [advantages(kind, [*other, 1, 0, 0, 0], None, texts, 4) for other in ([1, 1, 0, 0], [0, 0, 0, 1])]
    first, second = found
    assert torch.equal(first[4:], second[4:]) == (kind in OF_GROUP_ALONE)
    assert not torch.equal(first[:4], second[:4])


@pytest.mark.parametrize("kind", [kind for kind in ADVANTAGES if kind not in IN_ORDER])
def test_the_order_inside_a_group_changes_nothing(kind, advantages):
    texts, rewards, correct = ["x", "xxx", "x", "xx", "x"], [0.1, 0.9, 0.5, 0.2, NAN], [0.0, 1, 1, 0, NAN]
    straight = advantages(kind, rewards, correct, texts)
    for order in permutations(range(5)):
        shuffled = advantages(kind, *([side[n] for n in order] for side in (rewards, correct, texts)))
        assert torch.allclose(straight[list(order)], shuffled, atol=1e-6)


@pytest.mark.parametrize("kind", ADVANTAGES)
def test_a_better_rollout_has_a_higher_advantage_and_most_groups_add_up_to_0(kind, advantages):
    rewards, correct = [0.1, 0.9, 0.5, 0.2], [0.0, 1, 0, 0]
    found = advantages(kind, rewards, correct, texts=["x", "xxx", "x", "xx"])
    if ADVANTAGES[kind].reads_correctness_alone:
        assert (found[1] > found[[0, 2, 3]]).all()
        assert torch.equal(found, advantages(kind, [0.0, 0.3, 0, 7], correct, texts=["x", "xxx", "x", "xx"]))
    else:
        assert found.argsort().tolist() == torch.tensor(rewards).argsort().tolist()
    assert (found.sum().abs() < 1e-5) == (kind not in ONE_SIDED)


@pytest.mark.parametrize("kind", [*ADVANTAGES, "gfpo by efficiency"])
def test_it_says_whether_it_looks_at_what_is_correct(kind, advantages, monkeypatch):
    if kind == "gfpo by efficiency":
        kind = "gfpo"
        monkeypatch.setitem(OPTIONS, kind, {"by": "token_efficiency", "keep": 2})
    leaf, rewards = ADVANTAGES[kind](**OPTIONS.get(kind, {})), [0.1, 0.9, 0.5, 0.2, 0.3] * 2
    texts, sides = ["x", "xxx", "x", "xx", "x"] * 2, ([1.0, 1, 0, 0, 0] + [1.0] * 5, [NAN] * 10)
    told, untold = (advantages(kind, rewards, correct, texts, 5) for correct in sides)
    assert torch.equal(told, untold) == (not leaf.reads_gold)
