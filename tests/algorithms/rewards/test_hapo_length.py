import pytest

from tinyreason.algorithms.rewards.hapo_length import HapoLength
from tinyreason.store import Store


def test_lengths_count_from_the_second_visit_on_against_the_shortest_correct_answer_so_far(rollouts):
    store, reward = Store(), HapoLength()
    first = reward(rollouts([30, 60, 20], correct=[1, 1, 0]), store)
    assert first.tolist() == [1.0, 1.0, 0.0]  # no history yet
    # h = 30: cos(π/2 · L/30) at 20: 0.5; 30: 0; 60: −1, held at −0.7; incorrect 20: 0; incorrect 60: −1
    again = reward(rollouts([20, 30, 60, 20, 60], correct=[1, 1, 1, 0, 0]), store)
    assert again.tolist() == pytest.approx([1.5, 1.0, 0.3, 0.0, -1.0], abs=1e-6)
    third = reward(rollouts([20, 40], correct=[1, 1]), store)  # h = 20 now
    assert third.tolist() == pytest.approx([1.0, 0.3], abs=1e-6)


def test_each_problem_has_a_history_of_its_own(rollouts):
    store, reward = Store(), HapoLength(length_weight=0.5)
    reward(rollouts([30, 60], correct=[1, 1], group_size=1, problems=["a", "b"]), store)
    earned = reward(rollouts([30, 40], correct=[1, 1], group_size=1, problems=["a", "b"]), store)
    assert earned.tolist() == pytest.approx([1.0, 1.25], abs=1e-6)  # cos(π/2 · 40/60) = 0.5


def test_an_incorrect_answer_sets_no_history(rollouts):
    store, reward = Store(), HapoLength()
    reward(rollouts([5, 5], correct=[0, float("nan")]), store)
    assert reward(rollouts([50], correct=[1], problems=["0"]), store).tolist() == [1.0]
