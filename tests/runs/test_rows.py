"""A file that grows while it is read, and is rolled back when its run is resumed."""

from synthetic_run import write_run

from tinyreason.runs.reader import RunFollower, read_run
from tinyreason.runs.rows import GrowingRows


def add(file, text):
    with open(file, "a") as opened:
        opened.write(text)


def test_only_what_is_new_and_whole_is_read(tmp_path):
    rows = GrowingRows(tmp_path / "rows.jsonl")
    assert list(rows.new()) == [] and not rows.is_another
    add(rows.file, '{"a": 1}\n{"a": 2}\n{"a"')
    assert list(rows.new()) == [(0, {"a": 1}), (9, {"a": 2})]
    assert list(rows.new()) == []
    add(rows.file, ": 3}\nnonsense\n\n[1]\n")
    assert list(rows.new()) == [(18, {"a": 3})]
    assert rows.broken == 2 and not rows.is_another


def test_a_file_that_was_truncated_is_another_even_when_it_grew_again(tmp_path):
    rows = GrowingRows(tmp_path / "rows.jsonl")
    add(rows.file, "".join(f'{{"step": {step}}}\n' for step in range(9)))
    list(rows.new())
    rows.file.write_text("".join(f'{{"step": {step}, "other": 1}}\n' for step in range(20)))
    assert rows.is_another
    rows.file.unlink()
    assert rows.is_another


def test_a_run_that_is_followed_reads_as_one_that_is_read_at_once(tmp_path):
    whole = write_run(tmp_path / "whole", steps=6, groups=2)
    part = write_run(tmp_path / "part", steps=1)
    follower = RunFollower(part)
    for name in ("metrics.jsonl", "rollouts.jsonl"):
        (part / name).write_text("")
    follower.look()
    texts = {name: (whole / name).read_text() for name in ("metrics.jsonl", "rollouts.jsonl")}
    for start in range(0, len(texts["rollouts.jsonl"]), 700):  # torn in the midst of lines and groups
        add(part / "rollouts.jsonl", texts["rollouts.jsonl"][start : start + 700])
        add(part / "metrics.jsonl", texts["metrics.jsonl"][start : start + 700])
        followed = follower.look()
    at_once = read_run(whole)
    assert followed.metrics == at_once.metrics and followed.groups == at_once.groups
    assert followed.rollout_means == at_once.rollout_means and len(followed.groups) == 12
    assert follower.beginnings == 1


def test_a_resumed_run_that_rolled_back_is_read_from_the_beginning(tmp_path):
    run = write_run(tmp_path / "run", steps=6)
    follower = RunFollower(run)
    assert follower.look().steps == 6
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join(lines[:3]))
    assert follower.look().steps == 3 and follower.beginnings == 2
