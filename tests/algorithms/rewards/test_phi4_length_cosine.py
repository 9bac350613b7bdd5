import pytest

from tinyreason.algorithms.rewards.phi4_length_cosine import Phi4LengthCosine
from tinyreason.store import Store

ANY = [[1]]


def outcome(rollouts, lengths, correct, limit=31_744):
    return Phi4LengthCosine().outcome(rollouts(lengths, correct, ids=ANY * len(lengths), limit=limit))


def test_a_correct_answer_costs_nothing_up_to_a_length_and_half_at_the_limit(rollouts):
    found = outcome(rollouts, [1, 25_600, 28_672, 31_744], [1] * 4)
    assert found.tolist() == pytest.approx([1, 1, 0.75, 0.5], abs=1e-4)


def test_an_incorrect_one_earns_the_more_the_longer_up_to_a_length(rollouts):
    found = outcome(rollouts, [0, 1851, 3702, 31_744], [0] * 4)
    assert found.tolist() == pytest.approx([-1, -0.75, -0.5, -0.5], abs=1e-4)


def test_lengths_scale_with_the_limit(rollouts):
    assert outcome(rollouts, [896, 992], [1, 1], limit=992).tolist() == pytest.approx([0.75, 0.5], abs=1e-4)


def test_repetition_costs_a_thirteenth(rollouts):
    batch = rollouts([12, 12, 4], [1, float("nan"), 1], ids=[[1, 2, 3, 4] * 3, [1] * 12, [1, 1, 1, 1]])
    first, second, third = Phi4LengthCosine()(batch, Store()).tolist()
    assert first == pytest.approx(8 / 13 + 1 / 13 * (4 / 8 - 1))  # 8 sequences of 5, 4 of them different
    assert second != second and third == pytest.approx(8 / 13)
