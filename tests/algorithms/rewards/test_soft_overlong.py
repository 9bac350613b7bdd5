import pytest

from tinyreason.algorithms.rewards.soft_overlong import SoftOverlong
from tinyreason.store import Store


def test_it_falls_over_the_buffer_correct_or_incorrect(rollouts):
    # limit 100, buffer 20: silent to 80, half at 90, −1 at 100 and beyond
    batch = rollouts([10, 80, 90, 95, 100, 130], correct=[1, 0, 1, 0, 1, 0])
    assert SoftOverlong(buffer_tokens=20)(batch, Store()).tolist() == pytest.approx([0, 0, -0.5, -0.75, -1, -1])


def test_a_completion_that_cannot_be_graded_is_left_out(rollouts):
    assert SoftOverlong()(rollouts([100], correct=[float("nan")]), Store()).isnan().all()


def test_a_problem_without_an_answer_is_nothing_to_grade_and_counts(rollouts):
    batch = rollouts([90, 100], correct=[float("nan")] * 2, gold="")
    assert SoftOverlong(buffer_tokens=20)(batch, Store()).tolist() == [-0.5, -1.0]


def test_the_buffer_is_a_fifth_of_the_limit_as_in_the_paper(rollouts):
    batch = rollouts([16384, 18432, 20480], correct=[1, 1, 1], limit=20480)
    assert SoftOverlong()(batch, Store()).tolist() == pytest.approx([0.0, -0.5, -1.0])
