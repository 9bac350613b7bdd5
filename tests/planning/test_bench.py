"""The yardstick: steps are timed on both sides, in turns, and told in one line."""

import json

import pytest
from commands import printed

from tinyreason.config.recipe import read_recipe
from tinyreason.config.run_config import Kernels
from tinyreason.models.load import compute_settings_for
from tinyreason.planning.bench import timed_steps

QUICK = ("train.rollouts_per_step=8", "train.max_completion_tokens=8", "data.size=4")


def test_each_step_but_the_first_is_timed():
    config = read_recipe("rlvr").resolve("sandbox", ("train.max_steps=3", "train.group_size=4", *QUICK))
    seconds = timed_steps(config, compute_settings_for(config.model, Kernels(), None))
    assert len(seconds) == 2
    assert all(0 < one < 30 for one in seconds)


@pytest.mark.slow
@pytest.mark.stress
def test_both_sides_are_told_in_one_line():
    words = ("--on", "sandbox", "--against", "trl", "--steps", "2", "--repeats", "1", *QUICK[:2])
    found = json.loads(printed("bench", "one_shot_rlvr", *words))
    seconds = found["processor_seconds"]
    assert seconds.keys() == {"tinyreason", "trl"}
    assert found["times_faster"] == pytest.approx(seconds["trl"] / seconds["tinyreason"], rel=0.05)
    assert found["steps"] == 2
