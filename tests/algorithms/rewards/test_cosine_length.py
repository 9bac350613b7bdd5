import pytest

from tinyreason.algorithms.rewards.cosine_length import CosineLength
from tinyreason.store import Store


def test_as_meant_correct_falls_from_1_to_a_half_and_incorrect_rises_from_minus_1(rollouts):
    # cos(0) = 1, cos(π/2) = 0, cos(π) = −1, and past the limit it stays there
    batch = rollouts([0, 50, 100, 120] * 2, correct=[1] * 4 + [0] * 4)
    earned = CosineLength()(batch, Store()).tolist()
    assert earned[:4] == pytest.approx([1.0, 0.75, 0.5, 0.5])
    assert earned[4:] == pytest.approx([-1.0, -0.75, -0.5, -0.5])


def test_as_released_counts_characters_is_not_clamped_and_incorrect_starts_at_0(rollouts):
    texts = ["x" * 0, "x" * 500, "x" * 1000, "x" * 2000] * 2
    batch = rollouts([7] * 8, correct=[1] * 4 + [0] * 4, texts=texts)
    earned = CosineLength(preset="as_released")(batch, Store()).tolist()
    assert earned[:4] == pytest.approx([1.0, 0.75, 0.5, 1.0])
    assert earned[4:] == pytest.approx([0.0, -0.25, -0.5, 0.0], abs=1e-6)


def test_the_cosine_may_end_before_the_limit(rollouts):
    assert CosineLength(full_length=40)(rollouts([20, 40], correct=[1, 1]), Store()).tolist() == [0.75, 0.5]
