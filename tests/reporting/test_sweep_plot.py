"""The names above the picture of a sweep: in order, and none on another."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tinyreason.reporting.sweep_plot import BETWEEN_NAMES, spaced


@given(st.lists(st.floats(0, 1), max_size=60).map(sorted))
def test_names_keep_their_order_and_their_distance_inside_the_picture(wanted):
    placed = spaced(wanted, BETWEEN_NAMES)
    gap = min(BETWEEN_NAMES, 1 / max(1, len(wanted) - 1))
    assert len(placed) == len(wanted)
    assert all(-1e-9 <= place <= 1 for place in placed)
    assert all(later - earlier >= gap - 1e-9 for earlier, later in pairwise(placed))


def test_names_with_room_stand_over_their_points():
    assert spaced([0.1, 0.5, 0.9], 0.02) == [0.1, 0.5, 0.9]
    assert spaced([0.5, 0.5, 0.9], 0.1) == [0.5, 0.6, 0.9]
