import pytest

from tinyreason.algorithms.rewards.l1_max import L1Max
from tinyreason.store import Store


def test_a_correct_answer_earns_delta_at_the_target_more_below_it_and_nothing_far_above(rollouts):
    # 0.01 · (60 − L) + 0.5: 0.9 at 20, 0.5 at 60, 0.1 at 100, clipped to 0 at 120 and to 1 at 5
    batch = rollouts([20, 60, 100, 120, 5, 20], correct=[1, 1, 1, 1, 1, 0])
    earned = L1Max(target_tokens=60, alpha=0.01)(batch, Store()).tolist()
    assert earned == pytest.approx([0.9, 0.5, 0.1, 0.0, 1.0, 0.0])


def test_the_prompt_names_the_most_it_may_think(rollouts):
    asked = L1Max(target_tokens=60).ask(rollouts([5], correct=[1]).examples[0])
    assert asked.problem == "1+1? Think for maximum 60 tokens."
