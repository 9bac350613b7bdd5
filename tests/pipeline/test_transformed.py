"""Only what is trained on is transformed, once a run; `preview` and `check` say so before."""

import json
from types import SimpleNamespace

import pytest
from commands import complaint, printed
from sessions import context_of, said, session_of

from tinyreason.config.recipe import read_recipe
from tinyreason.data import transforms
from tinyreason.grading.grader import Grader
from tinyreason.pipeline.problems import read_problems
from tinyreason.pipeline.sampled import sampled_examples
from tinyreason.pipeline.transformed import noted_before
from tinyreason.pipeline.warmup import warm_up
from tinyreason.runs.folder import RunFolder

LENGTH = "data.transforms=[{kind: segments, answer: 0}, {kind: sample, n: 6}]"
QUICK = ("data.size=10", "evaluation.problems=4", "train.max_steps=1", "train.batch_size=2")


def problems_of(folder, *overrides, recipe="reasoning_sft"):
    """(problems of the run, what was on the screen)"""
    config = read_recipe(recipe).resolve("sandbox", (*QUICK, *overrides))
    context = context_of(config)
    with RunFolder(folder, is_resumed=folder.exists()) as run, Grader() as grader:
        return read_problems(config, run, grader, context.console), said(context)


def test_the_training_rows_are_transformed_and_the_test_is_not(tmp_path):
    plain, _ = problems_of(tmp_path / "plain")
    found, heard = problems_of(tmp_path / "run", LENGTH)
    assert "transform segments  10 rows → 10: 10 rewritten\ntransform sample  10 rows → 6: 4 more than n" in heard
    assert len(found.training) == 6 and all(one.spans for one in found.training)
    assert (found.evaluation, found.available) == (plain.evaluation, plain.available)
    rows = [json.loads(line) for line in (tmp_path / "run" / "data.jsonl").open(encoding="utf-8")]
    assert [row["id"] for row in rows] == [one.id for one in found.training]
    assert not (tmp_path / "plain" / "data.jsonl").exists()


def test_they_are_made_once_and_again_where_rows_or_options_differ(tmp_path, monkeypatch):
    first, _ = problems_of(tmp_path / "run", LENGTH)
    monkeypatch.setattr(transforms.TRANSFORMS["sample"], "apply", lambda *_: pytest.fail("made again"))
    again, heard = problems_of(tmp_path / "run", LENGTH)
    assert again.training == first.training and again.sha256() == first.sha256()
    assert "transforms were made before: 6 rows of data.jsonl" in heard
    monkeypatch.undo()
    other, heard = problems_of(tmp_path / "run", LENGTH, "seed=1")
    assert "made before" not in heard and other.training != first.training
    (tmp_path / "run" / "data.jsonl").write_text("")  # a damaged file is not taken for the rows
    assert problems_of(tmp_path / "run", LENGTH, "seed=1")[0].training == other.training


def test_the_rows_of_a_warm_up_are_transformed_too(tmp_path):
    sft = "{kind: sft, max_steps: 1, batch_size: 2, max_tokens: 256, max_completion_tokens: 64}"
    data = "{kind: solutions, name: sandbox, size: 5, transforms: [{kind: sample, n: 2}]}"
    config = read_recipe("rlvr").resolve("sandbox", (f"warmup={{data: {data}, train: {sft}}}",))
    with session_of(config, tmp_path / "run") as session:
        warm_up(session)
        assert "transform sample  5 rows → 2: 3 more than n" in said(session.context)
    assert len((tmp_path / "run" / "warmup" / "data.jsonl").read_text().splitlines()) == 2


def test_of_sampled_data_the_completions_are_transformed_and_once(tmp_path):
    data = "data={kind: sampled, name: sandbox, size: 6, samples: 8, keep: all, transforms: [{kind: shortest_correct}]}"
    config = read_recipe("reasoning_sft").resolve("sandbox", (*QUICK[1:], data, "train.max_completion_tokens=48"))
    with session_of(config, tmp_path / "run") as session:
        problems = config.data.load()
        found = sampled_examples(session, problems, [])
        again = sampled_examples(session, problems, [])
    rows = [json.loads(line) for line in (tmp_path / "run" / "samples.jsonl").open(encoding="utf-8")]
    solved = {row["id"] for row in rows if row["correct"] and not row["truncated"]}
    assert again == found and {one.meta["problem_id"] for one in found} == solved and len(found) == len(solved) > 0
    for one in found:
        same = [row for row in rows if row["id"] == one.meta["problem_id"] and row["correct"] and not row["truncated"]]
        assert one.meta["tokens"] == min(row["tokens"] for row in same)


def test_preview_shows_what_each_does_and_a_row_before_and_after():
    words = ("preview", "reasoning_sft", "--on", "sandbox", "data.size=10", LENGTH)
    out = printed(*words)
    assert "transform segments  10 rows → 10: 10 rewritten" in out and "6 rows to train on" in out
    assert "before them, of weight 1\n" in out and " count 0\n" in out.partition("after them, of weight 1; ")[2]
    found = json.loads(printed(*words, "--json"))
    (before, after), lines = found["rewritten"], found["transforms"]
    assert (before["id"], before["spans"]) == (after["id"], []) and len(after["spans"]) == 1 and len(lines) == 2


def test_check_names_them_and_refuses_them_where_they_would_do_nothing():
    assert "data            transforms segments, sample; " in printed(
        "check", "reasoning_sft", LENGTH, "--on", "sandbox"
    )
    test = "evaluation.data={name: sandbox, transforms: [{kind: trim}]}"
    assert "evaluation.data.transforms: only what is trained on" in complaint("check", "rlvr", test)
    assert "is for data of GRPO" in complaint("check", "reasoning_sft", "data.transforms=[{kind: prefix}]")
    assert "trainer grpo samples its own" in complaint("check", "rlvr", "data.transforms=[{kind: pairs}]")
    data = "data={kind: sampled, name: sandbox, transforms: [{kind: pass_rate}]}"
    assert "pass_rate compares correct with incorrect" in complaint("check", "reasoning_sft", data, "--on", "sandbox")
    assert "did you mean" in complaint("check", "rlvr", "data.transforms=[{kind: fairr, n: 2}]")


def test_columns_of_a_file_say_how_samples_did(jsonl, tmp_path):
    rows = [
        {"problem": f"{n}+1?", "solution": f"{'so ' * (3 - s)}\\boxed{{{n + 1}}}", "problem_id": n, "correct": True}
        | {"tokens": 9 - s, "truncated": False}
        for n in range(8)
        for s in range(2)
    ]
    words = (f"data.file={jsonl(*rows)}", "data.size=null", "data.transforms=[{kind: shortest_correct}]")
    found, heard = problems_of(tmp_path / "run", *words, "evaluation.data.name=sandbox")
    assert {one.meta["tokens"] for one in found.training} == {8} and len(found.training) == 8
    assert "16 rows → 8: 8 longer" in heard


def test_a_stage_knows_what_transforms_of_the_stages_before_noted(tmp_path):
    for number in (1, 2, 10):
        place = tmp_path / "stages" / f"{number}-round"
        place.mkdir(parents=True)
        (place / "data.json").write_text(json.dumps({"noted": {"step": number}}))
    (tmp_path / "stages" / "2-round" / "data.json").write_text("{}")  # one that noted nothing

    def before(place):
        return [note["step"] for note in noted_before(SimpleNamespace(path=place))]

    assert before(tmp_path) == [1, 10]
    assert before(tmp_path / "stages" / "10-round") == [1]
    assert before(tmp_path / "stages" / "1-round") == []
