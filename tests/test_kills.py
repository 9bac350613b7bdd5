"""Whatever moment a run is killed at, it goes on and ends as if nothing had happened."""

import pytest
from kills import stress


@pytest.mark.stress
def test_three_kills_at_random_moments_change_nothing(tmp_path):
    survived = stress(tmp_path, kills=3, seed=1)
    assert len(survived) == 3


@pytest.mark.stress
def test_kills_while_problems_are_asked_in_other_ways_change_nothing(tmp_path):
    survived = stress(tmp_path, kills=5, seed=2, runs=("asked in other ways",))
    assert len(survived) == 5
