"""A run folder read back: how each group fared, where its lines are, how far the run came."""

import json

import pytest
from synthetic_run import rollout, write_run

from tinyreason.errors import FolderError
from tinyreason.runs.reader import read_run


@pytest.mark.parametrize(
    ("verdicts", "rewards", "outcome"),
    [
        ((True, False), (1.0, 0.0), "mixed"),
        ((True, True), (1.0, 1.0), "all correct"),
        ((False, False), (0.0, 0.0), "all incorrect"),
        ((True, False), (0.5, 0.5), "all alike"),
        ((True, True), (1.0, 0.7), "mixed"),
    ],
)
def test_a_group_is_mixed_only_where_its_rewards_differ(tmp_path, verdicts, rewards, outcome):
    folder = write_run(tmp_path / "run")
    lines = [rollout(1, 0, "x", v) | {"reward": r} for v, r in zip(verdicts, rewards, strict=True)]
    (folder / "rollouts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (group,) = read_run(folder).groups
    assert group.outcome == outcome


def test_the_lines_of_a_group_are_found_again_even_behind_a_broken_one(tmp_path):
    folder = write_run(tmp_path / "run", steps=2, groups=2, group_size=2)
    lines = (folder / "rollouts.jsonl").read_text().splitlines(keepends=True)
    lines.insert(3, "broken\n")
    (folder / "rollouts.jsonl").write_text("".join(lines))
    run = read_run(folder)
    assert [(group.step, group.number, group.lines) for group in run.groups] == [
        *((1, 0, 2), (1, 1, 2)),
        *((2, 0, 2), (2, 1, 2)),
    ]
    found = [row["completion"] for group in run.groups for row in run.rollouts(group)]
    assert found == [json.loads(line)["completion"] for line in lines if line != "broken\n"]
    assert run.troubles == ["1 lines of rollouts.jsonl cannot be read"]


def test_a_steps_means_are_those_of_its_rollouts(tmp_path):
    folder = write_run(tmp_path / "run")
    lines = [rollout(7, 0, "x", is_correct) for is_correct in (True, True, False, False)]
    lines[0]["correct"] = None  # cannot be graded, which is not incorrect
    (folder / "rollouts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_run(folder).rollout_means == {7: {"reward/correctness": 0.5, "reward/format": 1.0, "correct": 1 / 3}}


def test_a_run_is_done_only_with_a_whole_result(tmp_path):
    folder = write_run(tmp_path / "run")
    assert (read_run(folder).state, read_run(folder).steps) == ("done", 4)
    (folder / "result.json").write_text('{"verdict": "improved"}')
    assert read_run(folder).state == "going"


def test_a_folder_that_is_not_a_run_is_refused(tmp_path):
    with pytest.raises(FolderError, match=r"no config\.yaml"):
        read_run(tmp_path)
