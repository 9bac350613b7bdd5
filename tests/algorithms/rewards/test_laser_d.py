from tinyreason.algorithms.rewards.laser_d import LaserD
from tinyreason.store import Store

QUICK = {"refresh_steps": 1, "lowest_share": 0.1, "step_share": 0.1}


def test_the_target_of_easy_problems_is_where_one_of_five_expected_correct_answers_fits(rollouts):
    # G = 8, all correct, so easy: C = 5. Thresholds 10, 20, …; 1 of 8 within 20: 0.125 · 5 < 1; 2 of 8 within 40: 1.25
    store, reward = Store(), LaserD(**QUICK)
    first = reward(rollouts([15, 35, 60, 60, 60, 60, 60, 60], correct=[1] * 8), store)
    assert first.tolist() == [1.5] * 8  # no estimate yet: the target is the limit
    second = reward(rollouts([40, 41, 60, 60, 60, 60, 60, 60], correct=[1] * 8), store)
    assert second.tolist() == [1.5] + [1.0] * 7


def test_medium_and_hard_problems_have_targets_of_their_own_by_all_rollouts_as_released(rollouts):
    # count_length_distribution.py of the released code counts a band's rollouts, correct and incorrect alike.
    # 4 of 8 correct: medium, C = 2, half of the eight must fit: 50. 1 of 8 correct: hard, C = 1, all must: 80, where
    # the correct ones alone would give 30 and 10
    store, reward = Store(), LaserD(**QUICK)
    lengths = [25, 30, 70, 70, 45, 45, 45, 45, 9, 75, 75, 75, 75, 75, 75, 75]
    correct = [1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    reward(rollouts(lengths, correct, group_size=8), store)
    assert store.get("laser_d", "targets") == {"medium": 50, "hard": 80}
    lengths = [50, 51, 70, 70, 9, 9, 9, 9, 80, 9, 9, 9, 9, 9, 9, 9]
    earned = reward(rollouts(lengths, correct, group_size=8), store).tolist()
    assert earned[:4] == [1.5, 1.0, 1.0, 1.0] and earned[8] == 1.5


def test_a_rollout_that_cannot_be_graded_moves_no_target(rollouts):
    store, reward = Store(), LaserD(**QUICK)
    reward(rollouts([15, 15, 15, 90], correct=[1, 1, 1, float("nan")]), store)
    assert store.get("laser_d", "targets") == {"easy": 20}


def test_targets_are_estimated_from_all_rollouts_since_the_last_time(rollouts):
    store, reward = Store(), LaserD(**QUICK | {"refresh_steps": 2})
    reward(rollouts([15] * 8, correct=[1] * 8), store)
    assert store.get("laser_d", "targets") is None
    reward(rollouts([60] * 8, correct=[1] * 8), store)
    assert store.get("laser_d", "targets") == {"easy": 20}  # half of sixteen within 20
    reward(rollouts([60] * 8, correct=[1] * 8), store)
    reward(rollouts([60] * 8, correct=[1] * 8), store)
    assert store.get("laser_d", "targets") == {"easy": 60}
