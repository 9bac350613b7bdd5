import pytest

from tinyreason.algorithms.rewards.laser_d import LaserD
from tinyreason.algorithms.rewards.laser_de import LaserDe
from tinyreason.store import Store


def test_a_long_incorrect_answer_earns_the_bonus_unless_it_goes_round_in_circles(rollouts):
    store = Store({"laser_de": {"targets": {"hard": 30}}})
    loop = [7] * 60
    ids = [list(range(20)), list(range(60)), loop, list(range(20)), list(range(60)), *[list(range(9))] * 3]
    lengths = [len(row) for row in ids]
    batch = rollouts(lengths, correct=[1, 1, 0, 0, 0, 0, 0, 0], ids=ids)  # 2 of 8 correct: hard
    earned = LaserDe()(batch, store).tolist()
    assert earned == pytest.approx([1.5, 1.0, -0.5, -0.5, 0.0, -0.5, -0.5, -0.5])


def test_its_targets_are_estimated_as_those_of_laser_d(rollouts):
    options = {"refresh_steps": 1, "lowest_share": 0.1, "step_share": 0.1}
    one, other = Store(), Store()
    batch = rollouts([15, 35, 60, 60, 60, 60, 60, 60], correct=[1] * 8)
    LaserDe(**options)(batch, one), LaserD(**options)(batch, other)
    assert one.get("laser_de", "targets") == other.get("laser_d", "targets") == {"easy": 40}
