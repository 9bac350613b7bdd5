"""How the rewards of a list make one number: weights, gates, clips, annealing, and lists that cannot be."""

from types import SimpleNamespace

import pytest
import torch

from tinyreason.algorithms.rewards import REWARDS, check_rewards, weigh
from tinyreason.config.train_config import TrainGrpo
from tinyreason.store import Store


def make(**terms):
    """`kind={options}` as a list of rewards."""
    return [REWARDS[kind](**options) for kind, options in terms.items()]


def total(rewards, batch):
    weigh(rewards, batch, Store())
    return batch.reward.tolist()


def test_the_sum_is_weighted(rollouts):
    rewards = make(correctness={"weight": 2}, kimi_length={"weight": 0.4})
    assert total(rewards, rollouts([20, 60], correct=[1, 1])) == pytest.approx([2.2, 1.8])


def test_the_values_are_told_as_they_are_before_weights(rollouts):
    rewards = make(correctness={"weight": 2}, kimi_length={"weight": 0.4, "clip": [0, 1]})
    values = weigh(rewards, rollouts([20, 60], correct=[1, 1]), Store())
    assert {kind: found.tolist() for kind, found in values.items()} == {
        "correctness": [1.0, 1.0],
        "kimi_length": [0.5, -0.5],
    }


def test_a_gate_counts_only_where_the_other_reward_is_above_0(rollouts):
    rewards = make(correctness={}, soft_overlong={"gate": "correctness", "buffer_tokens": 50})
    assert total(rewards, rollouts([100, 100], correct=[1, 0])) == [0.0, 0.0]
    rewards = make(correctness={}, soft_overlong={"buffer_tokens": 50})
    assert total(rewards, rollouts([100, 100], correct=[1, 0])) == [0.0, -1.0]


def test_a_gate_that_cannot_grade_lets_nothing_through(rollouts):
    rewards = make(correctness={}, soft_overlong={"gate": "correctness"})
    assert torch.isnan(torch.tensor(total(rewards, rollouts([100], correct=[torch.nan]))[0]))


def test_a_clip_holds_the_values_before_they_are_weighted(rollouts):
    rewards = make(correctness={}, kimi_length={"weight": 2, "clip": [-0.1, 0.2]})
    assert total(rewards, rollouts([20, 60], correct=[1, 1])) == pytest.approx([1.4, 0.8])


@pytest.mark.parametrize(("step", "factor"), [(1, 0.0), (2, 0.25), (3, 0.5), (5, 1.0), (50, 1.0)])
def test_a_weight_is_annealed_in_a_straight_line_and_then_stays(step, factor, rollouts):
    rewards = make(correctness={}, kimi_length={"weight": 2, "anneal": {"start": 0, "end": 1, "steps": 5}})
    assert total(rewards, rollouts([20, 60], correct=[1, 1], step=step)) == pytest.approx([1 + factor, 1 - factor])


def test_what_no_reward_can_grade_is_nan_and_what_one_can_is_not(rollouts):
    batch = rollouts([20, 60], correct=[torch.nan, 1])
    assert torch.tensor(total(make(correctness={}, kimi_length={}), batch)).isnan().tolist() == [True, False]
    assert torch.tensor(total(make(correctness={}, format={}), batch)).isnan().tolist() == [False, False]


@pytest.mark.parametrize(
    ("terms", "named"),
    [
        ({"correctness": {"weight": -1}}, r"rewards\.0\.weight=-1 would pay for the contrary of correctness"),
        ({"correctness": {"weight": 0}, "format": {"weight": 0}}, "weights of all rewards are 0"),
        ({"correctness": {"anneal": {"start": 0, "end": 0, "steps": 5}}}, "weights of all rewards are 0"),
        ({"correctness": {}, "format": {"gate": "corectness"}}, "did you mean 'correctness'"),
        ({"correctness": {"gate": "correctness"}}, "is not another reward of the list"),
        ({"l1_exact": {"target_tokens": 30}, "l1_max": {"target_tokens": 60}}, "both name a length in the prompt"),
        ({"l1_max": {"target_tokens": 101}}, r"longer than the 100 tokens that train\.max_completion_tokens"),
        ({"l1_exact": {"target_tokens": [50, 101]}}, "target_tokens=101 is longer"),
        ({"l1_exact": {"target_tokens": [50, 40]}}, r"rewards\.0\.target_tokens=\[50, 40\] is not a range"),
        ({"laser_length": {"target_tokens": 101}}, "target_tokens=101 is longer"),
        ({"soft_overlong": {"buffer_tokens": 101}}, "buffer_tokens=101 is longer"),
        ({"cosine_length": {"full_length": 101}}, "full_length=101 is longer"),
    ],
)
def test_a_list_that_cannot_be_is_one_sentence(terms, named):
    run = SimpleNamespace(train=TrainGrpo(max_steps=1, max_completion_tokens=100))
    with pytest.raises(ValueError, match=named):
        check_rewards(make(**terms))
        for reward in make(**terms):
            reward.check(run, "rewards.0")


def test_one_kind_twice_is_refused():
    with pytest.raises(ValueError, match="two weights for it contradict each other"):
        check_rewards([REWARDS["correctness"](), REWARDS["correctness"](weight=2)])


def test_a_clip_that_leaves_nothing_is_refused():
    with pytest.raises(ValueError, match="leaves nothing"):
        REWARDS["correctness"](clip=[1, 0])
