"""When a stage ends before its last step."""

import pytest

from tinyreason.config.until import Plateau, Reaches


@pytest.mark.parametrize(
    ("until", "values", "ends"),
    [
        (Reaches(metric="reward/mean", value=0.75, over=2), [0.5, 0.9, 0.5, 1.0, 0.0], 4),  # means .7 .7 .75
        (Reaches(metric="reward/mean", value=0.75), [1.0] * 12, 10),  # not before ten values are there
        (Reaches(metric="validation/accuracy", value=0.75), [0.7, 0.75], 2),
        (Reaches(metric="loss", value=0.5, over=1), [0.9, 0.6, 0.5], 3),  # less is better
        (Plateau(metric="validation/accuracy", patience=2), [0.1, 0.3, 0.3, 0.2, 0.4], 4),  # no better twice
        (Plateau(metric="validation/accuracy", patience=2), [0.1, 0.3, 0.2, 0.4, 0.5], None),
        (Plateau(metric="loss", patience=1, over=2), [3.0, 1.0, 1.0, 2.0], 4),  # means 2, 1, 1.5
    ],
)
def test_a_stage_ends_with_the_first_step_at_which_its_metric_says_so(until, values, ends):
    ended = [count for count in range(1, len(values) + 1) if until.met(values[:count])]
    assert (ended[0] if ended else None) == ends


def test_it_says_why():
    assert Plateau(metric="loss", patience=1, over=1).met([0.5, 0.7]) == "loss no better than 0.5 for 1 values"
    assert Reaches(metric="loss", value=0.5, over=1).met([0.25]) == "loss reached 0.25"
