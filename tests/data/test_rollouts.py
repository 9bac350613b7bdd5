"""Stored rollouts as training data: what is read of them, what is left out and said, where the test comes from."""

import json

import pytest
import yaml
from pydantic import ValidationError

from tinyreason.config.recipe import read_recipe
from tinyreason.data.rollout_rows import apart, told_correct
from tinyreason.data.rollouts import Rollouts
from tinyreason.data.solutions import Solutions
from tinyreason.errors import ConfigError, DataError, FolderError


def rollout(number=0, correct=True, **more):
    return {
        "step": 1 + number,
        "group": 0,
        "problem_id": f"p{number % 2}",
        "prompt": f"{number % 2}+1?",
        "completion": f" <think>{number}</think>\n\\boxed{{{number}}}",
        "tokens": 9,
        "truncated": False,
        "correct": correct,
        "reward": float(bool(correct)),
        "answer": str(number % 2 + 1),
    } | more


def folder_of(place, rows, config=None):
    place.mkdir(parents=True, exist_ok=True)
    (place / "rollouts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    if config:
        (place / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return place


def test_a_rollout_is_an_example_with_its_completion_word_for_word(tmp_path):
    run = folder_of(tmp_path / "run", [rollout(0, mu_logp=-3.5), rollout(1, False)])
    first, second = Rollouts(run=str(run)).load()
    assert (first.problem, first.completion, first.answer) == ("0+1?", " <think>0</think>\n\\boxed{0}", "1")
    assert first.id == "p0#0" and first.weight == 1.0
    assert first.meta == {
        "problem_id": "p0", "correct": True, "truncated": False, "tokens": 9, "step": 1, "reward": 1.0, "mu_logp": -3.5
    }  # fmt: skip
    assert second.meta["correct"] is False and "mu_logp" not in second.meta


def test_truncated_and_ungradable_rows_and_torn_lines_are_counted_and_left_out(tmp_path, capsys):
    rows = [rollout(0), rollout(1, truncated=True), rollout(2, None, reward=None), rollout(3, False)]
    run = folder_of(tmp_path / "run", rows)
    with (run / "rollouts.jsonl").open("a") as file:
        file.write('{"step": 9, "prom')
    assert [one.id for one in Rollouts(run=str(run)).load()] == ["p0#0", "p1#3"]
    said = capsys.readouterr().err
    assert "1 without a whole line (id line 5)" in said
    assert "1 without a whole completion (id 1)" in said and "1 without a verdict (id 2)" in said
    assert len(Rollouts(run=str(run), truncated=True).load()) == 3
    lost = folder_of(tmp_path / "lost", rows[2:3])
    with pytest.raises(DataError, match="does not say if it is correct; give it a column 'correct' or 'reward'"):
        Rollouts(run=str(lost)).load()
    with pytest.raises(DataError, match="does not say"):
        Rollouts(run=str(run), strict=True).load()


def test_what_a_run_knows_of_its_problems_comes_along(tmp_path):
    turns = [{"role": "system", "content": "Sum."}, {"role": "user", "content": "0+1?"}]
    (one,) = Rollouts(
        run=str(folder_of(tmp_path / "run", [rollout(messages=turns, grader={"kind": "choice"}, answer="B")]))
    ).load()
    assert [message["role"] for message in one.messages] == ["system", "user"]
    assert (one.grader, one.answer) == ("choice", "B")


def test_an_incorrect_completion_is_never_its_own_gold_answer(tmp_path):
    rows = [{key: value for key, value in rollout(n, bool(n)).items() if key != "answer"} for n in range(2)]
    incorrect, correct = Rollouts(run=str(folder_of(tmp_path / "run", rows))).load()
    assert incorrect.answer == "" and "\\boxed{1}" in correct.answer


def test_any_file_with_a_verdict_or_a_reward_will_do(tmp_path):
    file = tmp_path / "teacher.jsonl"
    rows = [{"problem": f"{n}?", "completion": f"\\boxed{{{n}}}", "reward": n / 4} for n in range(5)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [one.meta["correct"] for one in Rollouts(file=file).load()] == [False] * 3 + [True] * 2
    assert [one.meta["correct"] for one in Rollouts(file=file, correct_above=0.1).load()] == [False] + [True] * 4


def test_lists_of_completions_become_rows_and_verdicts_that_disagree_none(tmp_path):
    row = {"uuid": "u", "problem": "1?", "generations": ["a", "b", "c"], "one": [True, True, False], "two": [1, 0, 0]}
    file = tmp_path / "published.jsonl"
    file.write_text(json.dumps(row))
    source = Rollouts(
        file=file,
        completion_column="generations",
        correct_columns=("one", "two"),
        transforms=[{"kind": "pairs"}],
    )
    found = source.load()
    assert [(one.completion, one.meta["correct"], one.meta["sample"]) for one in found] == [
        ("a", True, 0),
        ("c", False, 2),
    ]
    assert {one.meta["problem_id"] for one in found} == {"u"}
    assert [one["sample"] for one in apart([row], "generations", ("one",))] == [0, 1, 2]
    assert told_correct({"one": True, "two": None}, ("one", "two"), 0.5) is None
    assert told_correct({"reward": 0.7}, ("correct",), 0.5) is True


def test_the_test_is_of_where_the_run_had_its_problems(tmp_path):
    config = {"data": {"kind": "problems", "name": "sandbox:chain", "size": 4}, "evaluation": {"data": None}}
    source = Rollouts(run=str(folder_of(tmp_path / "run", [rollout(n) for n in range(4)], config)))
    assert source.is_endless and not source.is_taken_whole and source.is_offline
    asked = source.held_out(3, "test", set())
    assert len(asked) == 3 and all("+" not in one.id for one in asked)
    alone = Rollouts(run=str(folder_of(tmp_path / "alone", [rollout(n) for n in range(4)])))
    assert alone.is_taken_whole and not alone.is_endless


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "type data.run=runs/NAME or data.file=FILE"),
        ({"name": "sandbox"}, "no rollouts come with"),
        ({"run": "runs/x", "name": "sandbox"}, "leave one of them out"),
        ({"run": "previous"}, "neither of data.file and data.name"),
    ],
)
def test_what_is_not_there_to_read_is_told_in_a_sentence(options, sentence):
    with pytest.raises(ValidationError, match=sentence):
        Rollouts(**options)


def test_a_folder_without_rollouts_is_refused_and_its_stages_are_named(tmp_path):
    folder_of(tmp_path / "run" / "stages" / "1-rlvr", [rollout()])
    with pytest.raises(FolderError, match=r"has no rollouts\.jsonl; its stages have: stages/1-rlvr\."):
        Rollouts(run=str(tmp_path / "run")).check_run()
    with pytest.raises(FolderError, match="give the folder of a run"):
        Rollouts(run=str(tmp_path / "nowhere")).load()


def test_a_run_that_is_typed_takes_the_place_of_the_recipes_own_set():
    config = read_recipe("reasoning_sft").resolve("sandbox", ("data.kind=rollouts", "data.run=runs/x"))
    assert (config.data.run, config.data.name, config.data.size) == ("runs/x", None, None)
    own = "transforms=[{kind: signed}]"
    again = read_recipe("redi").resolve("t4", ("data.run=runs/x", f"data.{own}", "stages=[]"))
    assert (again.data.kind, again.data.name, again.data.subset) == ("rollouts", None, None)


CARRIED = "{kind: rollouts, run: previous, name: sandbox, size: 8}"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((f"data={CARRIED}",), r"data\.run=previous: no stage before samples"),
        ((f"stages=[{{data: {CARRIED}}}]",), r"stages\.0\.data\.run=previous: no stage before samples"),
        (("evaluation.data={kind: rollouts, run: x}",), "type evaluation.data.kind=problems"),
    ],
)
def test_rollouts_of_no_stage_and_as_a_test_are_refused(words, sentence):
    with pytest.raises(ConfigError, match=sentence):
        read_recipe("reasoning_sft").resolve("sandbox", words)


def test_a_stage_may_carry_on_what_another_sampled():
    stages = (
        f"stages=[{{name: own, data: {{kind: sampled, name: sandbox, size: 8}}}}, {{name: again, data: {CARRIED}}}]"
    )
    config = read_recipe("reasoning_sft").resolve("sandbox", (stages, f"data={CARRIED}"))
    assert [stage.data.is_sampled for _, stage in config.stage_configs] == [True, True]


def test_negative_weights_are_read_where_they_are_meant(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"problem": "1?", "completion": "x", "w": -0.8}))
    with pytest.raises(DataError, match=r"give a number >= 0, or type data\.signed=true"):
        Solutions(file=file, weight_column="w").load()
    assert Solutions(file=file, weight_column="w", signed=True).load()[0].weight == -0.8
