import pytest
import torch

from tinyreason.algorithms.advantages.gfpo import Gfpo
from tinyreason.store import Store


def advantages(batch, **options):
    return Gfpo(**options)(batch, torch.zeros(len(batch.texts)), Store()).tolist()


def test_only_the_shortest_of_a_group_count_and_they_are_compared_with_each_other(batch_of):
    # lengths 11, 3, 31, 2: the three shortest earned 1, 0, 0; mean 1/3, sample std 0.5774
    batch = batch_of(["x" * 10, "x" * 2, "x" * 30, "x"], reward=[1, 0, 1, 0])
    assert advantages(batch, keep=3) == pytest.approx([1.1547, -0.5774, 0.0, -0.5774], abs=1e-3)


def test_token_efficiency_keeps_correct_answers_first_and_looks_at_correctness_not_at_the_shaped_reward(batch_of):
    # c/L: 1/11, 0, 1/31, 1/2: kept are the last and the first, though the third has the highest reward per token
    batch = batch_of(["x" * 10, "x" * 2, "x" * 30, "x"], correct=[1.0, 0, 1, 1], reward=[1, 0, 99, 2])
    assert advantages(batch, keep=2, by="token_efficiency") == pytest.approx([-0.7071, 0, 0, 0.7071], abs=1e-3)


def test_those_level_with_the_last_one_kept_are_kept_too(batch_of):
    # lengths 2, 3, 3, 4: the second shortest is 3; of 1, 1, 0 the mean is 2/3, the sample std 0.5774
    batch = batch_of(["x", "xx", "xx", "xxx"], reward=[1, 1, 0, 1])
    assert advantages(batch, keep=2) == pytest.approx([0.5774, 0.5774, -1.1547, 0], abs=1e-3)


def test_each_group_is_filtered_by_itself(batch_of):
    batch = batch_of(["x", "xx", "xxx", "x" * 50, "x" * 60, "x" * 70], reward=[0, 1, 1, 0, 1, 1], group_size=3)
    assert advantages(batch, keep=2) == pytest.approx([-0.7071, 0.7071, 0, -0.7071, 0.7071, 0], abs=1e-3)


def test_what_cannot_be_graded_is_not_kept(batch_of):
    batch = batch_of(["x", "xx", "xxx"], reward=[torch.nan, 1, 0])
    assert advantages(batch, keep=2) == pytest.approx([0, 0.7071, -0.7071], abs=1e-3)
