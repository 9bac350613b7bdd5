"""What of a run can be browsed: all of a small one, an even sample of a large one, never more than the budget."""

import itertools
import random

import pytest
from synthetic_run import write_run

from tinyreason.reporting.payload import pack, run_payload
from tinyreason.runs.reader import read_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    return read_run(write_run(folder, steps=40, groups=3, completion=lambda step: random.randbytes(100).hex()))


@pytest.mark.parametrize("budget", [3_000, 20_000, 60_000, 10_000_000])
def test_no_budget_is_exceeded(run, budget):
    found = run_payload(run, budget)
    assert len(pack([found["groups"], found["problems"]])) <= budget * 1.02 + 100


def test_a_large_budget_keeps_everything(run):
    found = run_payload(run, 10_000_000)
    assert (len(found["groups"]), len(found["problems"])) == (120, 6)


def test_a_tight_budget_keeps_groups_from_the_whole_run(run):
    steps = [group["step"] for group in run_payload(run, 15_000)["groups"]]
    assert 8 <= len(steps) < 40
    assert (steps[0], steps[-1]) == (1, 40)
    assert max(b - a for a, b in itertools.pairwise(steps)) <= 10


def test_a_middling_budget_keeps_a_group_of_every_step_before_a_second_of_any(run):
    groups = run_payload(run, 45_000)["groups"]
    assert 40 <= len(groups) < 120
    assert {group["step"] for group in groups} == set(range(1, 41))
    assert {group["group"] for group in groups if group["group"] > 0} <= {1}
