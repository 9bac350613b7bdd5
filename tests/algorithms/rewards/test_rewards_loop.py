import pytest

from tinyreason.algorithms.rewards._loop import loop_start


@pytest.mark.parametrize(
    ("ids", "start"),
    [
        ([], 0),
        ([1], 1),
        (list(range(300)), 300),
        ([9] * 24, 0),
        ([9] * 23, 23),  # too short to be called a loop
        ([*range(100), *[9] * 30], 100),
        ([*range(100), *list(range(200, 210)) * 3], 100),
        ([*range(100), *list(range(200, 210)) * 2], 120),  # twice is not a loop
        ([*range(100), *list(range(200, 210)) * 3, 200, 201], 100),  # truncated in the middle of a round
        ([*[9] * 100, 1], 101),
    ],
)
def test_a_loop_is_at_the_end_and_stands_three_times(ids, start):
    assert loop_start(ids) == start
