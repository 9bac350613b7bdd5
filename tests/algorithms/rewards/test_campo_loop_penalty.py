import pytest

from tinyreason.algorithms.rewards.campo_loop_penalty import CampoLoopPenalty
from tinyreason.store import Store


def test_the_share_of_the_completion_inside_its_last_loop_is_taken_off(rollouts):
    # 40 different tokens, then 4 of them over and over for 40 tokens: half of the completion
    looping = [*range(40), *([50, 51, 52, 53] * 10)]
    batch = rollouts([80, 80, 80], correct=[1, 0, 1], ids=[looping, looping, list(range(80))])
    assert CampoLoopPenalty()(batch, Store()).tolist() == pytest.approx([0.5, -0.5, 1.0])


def test_a_loop_that_ended_before_the_completion_did_costs_nothing(rollouts):
    ids = [[*([50, 51] * 20), *range(40)]]
    assert CampoLoopPenalty()(rollouts([80], correct=[1], ids=ids), Store()).tolist() == [1.0]
