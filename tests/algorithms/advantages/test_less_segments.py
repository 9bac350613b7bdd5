import pytest
import torch

from tinyreason.algorithms.advantages.less_segments import LessSegments
from tinyreason.store import Store

LOW = [0.1] * 6 + [2.0] + [0.1] * 2 + [3.0]
"""Ten tokens, of which the quantile is 2: the last is above it, six in a row are below, two are too few."""
SHARED, OWN, THIRD = [1, 2, 3, 4, 5, 6], [11, 12, 13, 14, 15, 16], [21, 22, 23, 24, 25, 26]


def weights(batch_of, starts, correct=(1.0, 1, 0, 0)):
    batch = batch_of(["x" * 9] * len(starts), list(correct), entropy=[LOW] * len(starts))
    batch.ids = [[*start, 100 + row, 7, 8, 9] for row, start in enumerate(starts)]
    return LessSegments()(batch, torch.ones(len(starts)), Store())


def near(*values):
    return pytest.approx(list(values))


def test_what_both_correct_ones_share_counts_fully_and_what_is_their_own_half(batch_of):
    found = weights(batch_of, [SHARED, SHARED, OWN, THIRD])
    assert found[0].tolist() == found[1].tolist() == near(*[1] * 6, 0.5, 0.5, 0.5, 1)
    assert found[2].tolist() == near(*[0.5] * 9, 1)


def test_what_an_incorrect_one_has_too_counts_nothing_on_either_side(batch_of):
    found = weights(batch_of, [SHARED, SHARED, SHARED, OWN])
    assert found[0].tolist() == found[2].tolist() == near(*[0] * 6, 0.5, 0.5, 0.5, 1)


def test_a_segment_is_found_anywhere_but_only_whole(batch_of):
    found = weights(batch_of, [SHARED, OWN, [*SHARED[:5], 0], THIRD])
    assert found[0].tolist() == near(*[0.5] * 9, 1)
    batch = batch_of(["x" * 9] * 2, [1.0, 0], entropy=[LOW] * 2)
    batch.ids = [[*SHARED, 70, 7, 8, 9], [0, 0, *SHARED, 0, 0]]
    assert LessSegments()(batch, torch.ones(2), Store())[0].tolist() == near(*[0] * 6, 1, 1, 1, 1)


def test_one_sided_groups_and_what_cannot_be_graded_stay_as_they_are(batch_of):
    assert (weights(batch_of, [SHARED] * 4, [1.0] * 4) == 1).all()
    found = weights(batch_of, [SHARED, OWN, SHARED, SHARED], [1.0, 1, 0, torch.nan])
    assert (found[3] == 1).all() and found[2].tolist() == near(*[0] * 6, 1, 1, 1, 1)
