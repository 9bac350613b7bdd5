import pytest

from tinyreason.algorithms.rewards.self_efficiency_length import SelfEfficiencyLength
from tinyreason.store import Store


def test_a_correct_answer_earns_the_ratio_of_the_shortest_correct_one_to_it(rollouts):
    batch = rollouts([40, 80, 20, 60], correct=[1, 1, 0, 0])
    assert SelfEfficiencyLength(alpha=0.5)(batch, Store()).tolist() == pytest.approx([1.5, 1.25, 0.0, 0.0])


def test_a_group_without_a_correct_answer_earns_nothing(rollouts):
    assert SelfEfficiencyLength()(rollouts([40, 80], correct=[0, 0]), Store()).tolist() == [0.0, 0.0]
