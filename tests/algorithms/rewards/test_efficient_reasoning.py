import pytest

from tinyreason.algorithms.rewards.efficient_reasoning import EfficientReasoning
from tinyreason.store import Store


def test_a_correct_answer_loses_alpha_times_the_sigmoid_of_its_z(rollouts):
    # correct ones 40, 60: mean 50, std 10, z = −1, 1; σ(1) = 0.7311
    batch = rollouts([40, 60, 99, 20], correct=[1, 1, 0, 0])
    earned = EfficientReasoning(alpha=0.4)(batch, Store()).tolist()
    assert earned == pytest.approx([1 - 0.4 * 0.26894, 1 - 0.4 * 0.73106, 0.0, 0.0], abs=1e-4)


def test_a_lone_correct_answer_stands_at_the_mean(rollouts):
    assert EfficientReasoning(alpha=0.2)(rollouts([40, 70], correct=[1, 0]), Store()).tolist() == pytest.approx(
        [0.9, 0]
    )


def test_what_was_truncated_earns_nothing_and_counts_in_no_mean(rollouts):
    batch = rollouts([40, 60, 100], correct=[1, 1, 1], truncated=[2])
    earned = EfficientReasoning(alpha=0.4)(batch, Store()).tolist()
    assert earned == pytest.approx([1 - 0.4 * 0.26894, 1 - 0.4 * 0.73106, 0.0], abs=1e-4)
