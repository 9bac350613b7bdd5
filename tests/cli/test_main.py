"""What a person types and reads: exit codes, one sentence for a mistake, JSON that can be parsed."""

import json
import shlex
import signal
import subprocess
import sys
import time
from importlib import metadata

import click
import pytest
from click.testing import CliRunner
from commands import complaint, printed, tinyreason

from tinyreason import console
from tinyreason.cli.main import Commands
from tinyreason.config.recipe import recipe_names
from tinyreason.config.run_config import RunConfig


@pytest.fixture
def files(tmp_path):
    """The files that people have: broken, empty, of other columns, and one that is fine."""
    (tmp_path / "broken.jsonl").write_text('{"question": "1+1?", "answer": "2"}\n{"question": \n')
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "columns.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "fine.jsonl").write_text('{"question": "1+1?", "answer": "2"}\n{"question": "1+2?", "answer": "3"}\n')
    (tmp_path / "no_gold.jsonl").write_text('{"question": "1+1?", "answer": ""}\n' * 8)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("mine")
    return tmp_path


# Mistakes


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("recipe one_shot_rvlr", "did you mean 'one_shot_rlvr'?"),
        ("recipe one_shot_rlvr train.max_step=5", "did you mean 'max_steps'?"),
        ("recipe one_shot_rlvr train.max_steps=many", "train.max_steps='many'"),
        ("recipe one_shot_rlvr --on t5", "has no tier 't5'"),
        ("recipe one_shot_rlvr train.max_steps", "'train.max_steps' is not an override"),
        ("recipe one_shot_rlvr rewards.0.kind=corectness", "did you mean 'correctness'?"),
        ("grade {files}/broken.jsonl", "broken.jsonl line 2 is not valid JSON"),
        ("grade {files}/none", "there is no file"),
        ("grade {files}/empty.jsonl", "is empty"),
        ("grade {files}/full", "is a folder"),
        (
            "grade {files}/columns.jsonl",
            "row 1 has no field 'completion'; allowed: a; name another with",
        ),
        ("grade {files}/fine.jsonl", "allowed: answer, question; name another with --completion-field COLUMN."),
        ("grade {files}/fine.jsonl --completion-field questoin", "did you mean 'question'?"),
        ("select", "give the folder of a run or --history FILE"),
        ("select {files}/full", "has no rollouts.jsonl"),
        ("select {files}/full --history {files}/fine.jsonl", "give the folder of a run or --history FILE"),
        ("select --history {files}/broken.jsonl", "is not valid JSON"),
        ("select --history {files}/none", "there is no file"),
        ("check {files}/columns.jsonl", "or the path of a .yaml file"),
        ("check one_shot_rlvr train.max_steps=0", "train.max_steps=0"),
        ("show nothing", "no recipe 'nothing'"),
        ("show one_shot_rlvr --on t5", "has no tier 't5'"),
    ],
)
def test_a_mistake_is_answered_with_one_line_and_exit_code_2(files, words, answer):
    assert answer in complaint(*words.format(files=files).split())


@pytest.mark.parametrize(
    ("override", "answer"),
    [
        ("data.file={files}/none.jsonl", "there is no file"),
        ("data.file={files}/broken.jsonl", "line 2 is not valid JSON"),
        ("data.file={files}/empty.jsonl", "is empty"),
        ("data.file={files}/columns.jsonl", "has no column known to hold the problem; it has a"),
        ("data.file={files}/no_gold.jsonl", "has no answer to train on"),
        ("data.file={files}/fine.jsonl data.index=99999", "data.index=99999, but fine.jsonl has 2 problems, 0 to 1"),
    ],
)
def test_bad_data_is_answered_with_one_line_and_leaves_no_folder(files, override, answer):
    overrides = override.format(files=files).split()
    assert answer in complaint("recipe", "one_shot_rlvr", "--on", "sandbox", *overrides, "--out", files / "run")
    assert not (files / "run").exists()


@pytest.mark.parametrize("out", ["full", "fine.jsonl", "fine.jsonl/run"])
def test_a_run_does_not_write_over_what_is_there(files, out):
    before = (files / "full" / "x").read_text(), (files / "fine.jsonl").read_text()
    assert "--out" in complaint("recipe", "one_shot_rlvr", "--on", "sandbox", "--out", files / out)
    assert ((files / "full" / "x").read_text(), (files / "fine.jsonl").read_text()) == before
    assert [path.name for path in (files / "full").iterdir()] == ["x"]


@pytest.mark.parametrize("words", ["", "nonsense", "recipe", "recipe one_shot_rlvr --seed -1", "select x --by luck"])
def test_a_command_line_that_cannot_be_read_ends_with_exit_code_2(words):
    done = tinyreason(*words.split())
    assert done.exit_code == 2
    assert "Usage: tinyreason" in done.stderr


def test_ctrl_c_is_one_line_and_exit_code_130():
    @click.group(cls=Commands)
    def group():
        pass

    @group.command()
    def wait():
        raise KeyboardInterrupt

    done = CliRunner().invoke(group, ["wait"])
    assert (done.exit_code, done.stderr) == (130, "tinyreason: stopped.\n")


# Answers


def test_help_and_version_answer():
    assert printed("--version").split() == ["tinyreason,", "version", metadata.version("tinyreason")]
    for command in ("recipe", "recipes", "show", "check", "grade", "select"):
        assert command in printed("--help")
        assert printed(command, "--help").startswith(f"Usage: tinyreason {command} ")
        assert printed(command, "-h") == printed(command, "--help")


def test_python_dash_m_is_the_same_command():
    done = subprocess.run([sys.executable, "-m", "tinyreason", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr
    assert done.stdout == printed("--help")


def test_recipes_as_json_names_every_recipe_its_paper_and_its_tiers():
    found = json.loads(printed("recipes", "--json"))
    assert [plan["name"] for plan in found] == recipe_names()
    for plan in found:
        assert plan.keys() == {"name", "about", "paper", "tiers"}
        assert plan["tiers"] and all(isinstance(measured, str) for measured in plan["tiers"].values())


def test_recipes_lists_what_the_json_holds():
    listed = " ".join(printed("recipes").split())
    for plan in json.loads(printed("recipes", "--json")):
        for text in (plan["name"], plan["about"], *plan["tiers"], *plan["tiers"].values()):
            assert " ".join(text.split()) in listed


def test_recipes_and_show_print_the_addresses_of_papers_and_the_recipe_keeps_their_numbers():
    address = "One Training Example, https://arxiv.org/abs/2504.20571"
    assert address in printed("recipes") and address in printed("show", "one_shot_rlvr", "--on", "sandbox")
    assert "arXiv 2504.20571" in json.loads(printed("recipes", "one_shot_rlvr", "--json"))[0]["paper"]
    assert all("https://" in line for line in printed("recipes").splitlines() if "rXiv" in line)


def test_show_prints_the_resolved_config_with_the_overrides_in_it():
    text = printed("show", "one_shot_rlvr", "train.max_steps=7", "--on", "sandbox")
    assert "max_steps: 7 " in text
    assert "# Number of optimizer steps." in text
    config = json.loads(printed("show", "one_shot_rlvr", "train.max_steps=7", "--on", "sandbox", "--json"))
    assert config.keys() == RunConfig.model_fields.keys()
    assert (config["recipe"], config["tier"], config["train"]["max_steps"]) == ("one_shot_rlvr", "sandbox", 7)


@pytest.mark.parametrize("name", recipe_names())
def test_check_names_the_tiers_that_are_valid(name):
    tiers = {plan["name"]: list(plan["tiers"]) for plan in json.loads(printed("recipes", "--json"))}[name]
    assert printed("check", name).splitlines()[0] == f"{name}: valid on {', '.join(tiers)}"


def test_check_takes_a_file(tmp_path):
    from tinyreason.config.recipe import RECIPES

    mine = tmp_path / "mine.yaml"
    mine.write_text((RECIPES / "one_shot_rlvr.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    assert printed("check", mine).startswith("mine: valid on ")


# grade


@pytest.fixture
def completions(tmp_path):
    rows = [
        {"completion": "so \\boxed{4}", "answer": "4"},
        {"completion": "so \\boxed{5}", "answer": "#### 4"},
        {"completion": "so \\boxed{1,000}", "answer": 1000},
        {"completion": "so \\boxed{7}", "answer": ""},
    ]
    path = tmp_path / "completions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_grade_prints_the_accuracy_among_what_can_be_graded(completions):
    assert printed("grade", completions) == (
        "accuracy 66.67%: 2 of 3 correct\nrows not graded, their gold answers cannot be parsed: 1\n"
    )


def test_grade_as_json_has_the_counts(completions):
    summary = json.loads(printed("grade", completions, "--json"))
    assert summary == {"rows": 4, "judged": 3, "right": 2, "accuracy": pytest.approx(2 / 3)}


def test_grade_without_one_gold_answer_does_not_divide_by_zero(tmp_path):
    path = tmp_path / "completions.jsonl"
    path.write_text('{"completion": "\\\\boxed{7}", "answer": ""}\n')
    assert "accuracy unknown" in printed("grade", path)
    assert json.loads(printed("grade", path, "--json"))["accuracy"] is None


def test_grade_writes_one_verdict_a_row_in_order(completions, tmp_path):
    out = tmp_path / "verdicts.jsonl"
    printed("grade", completions, "--out", out)
    verdicts = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [verdict["correct"] for verdict in verdicts] == [True, False, True, None]
    assert [verdict["extracted"] for verdict in verdicts] == ["4", "5", "1,000", "7"]
    assert all(list(verdict) == ["correct", "extracted", "seconds", "note"] for verdict in verdicts)
    assert all(verdict["seconds"] >= 0 for verdict in verdicts)
    assert [bool(verdict["note"]) for verdict in verdicts] == [False, False, False, True]


def test_grade_into_a_folder_that_is_not_there_is_a_mistake_too(completions, tmp_path):
    assert "verdicts.jsonl" in complaint("grade", completions, "--out", tmp_path / "nowhere" / "verdicts.jsonl")


def test_grade_reads_the_columns_it_is_told(tmp_path):
    path = tmp_path / "completions.jsonl"
    path.write_text('{"said": "\\\\boxed{7}", "gold": "7", "answer": "8"}\n')
    assert "1 of 1 correct" in printed("grade", path, "--completion-field", "said", "--answer-field", "gold")


def test_progress_does_not_stand_in_the_way_of_the_json(completions, monkeypatch):
    monkeypatch.setattr(console.PlainLive, "SECONDS_BETWEEN_LINES", 0)
    done = tinyreason("grade", completions, "--json")
    assert json.loads(done.stdout)["rows"] == 4


# select


@pytest.fixture
def history(tmp_path):
    path = tmp_path / "history.json"
    path.write_text(json.dumps({"known": [1, 1, 1], "learned": [0, 0, 1], "wavering": [0.5, 0.25], "[hopeless]": [0]}))
    return path


def test_select_ranks_a_history_by_variance_or_pass_rate(history):
    ranked = json.loads(printed("select", "--history", history, "--json"))
    assert all(list(row) == ["rank", "id", "score", "mean_accuracy"] for row in ranked)
    assert [(row["rank"], row["id"]) for row in ranked[:2]] == [(1, "learned"), (2, "wavering")]
    assert ranked[0]["score"] == pytest.approx(2 / 9) and ranked[0]["mean_accuracy"] == pytest.approx(1 / 3)
    best = json.loads(printed("select", "--history", history, "--json", "--by", "pass_rate", "--top", "1"))
    assert best == [{"rank": 1, "id": "known", "score": 1.0, "mean_accuracy": 1.0}]


def test_select_ranks_the_rollouts_of_a_run(tmp_path):
    lines = [{"step": step, "group": 0, "problem_id": "7", "correct": step == 2} for step in (1, 2)]
    (tmp_path / "rollouts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert json.loads(printed("select", tmp_path, "--json")) == [
        {"rank": 1, "id": "7", "score": 0.25, "mean_accuracy": 0.5}
    ]


def test_select_prints_a_table_in_the_order_of_the_rank(history):
    head, *rows = printed("select", "--history", history).splitlines()
    assert head.split() == ["rank", "problem", "variance", "mean", "accuracy"]
    assert [row.split()[:2] for row in rows] == [
        ["1", "learned"], ["2", "wavering"], ["3", "known"], ["4", "[hopeless]"],
    ]  # fmt: skip


def test_an_id_is_printed_whole_where_there_is_no_terminal(tmp_path):
    id = "sandbox/chain/" + "0123456789" * 9
    path = tmp_path / "history.json"
    path.write_text(json.dumps({id: [0, 1]}))
    assert id in printed("select", "--history", path)


RUN_FOR_LONG = ("one_shot_rlvr", "--on", "sandbox", "train.max_steps=500", "train.rollouts_per_step=16")
NO_EVALUATION = ("evaluation.problems=2", "evaluation.samples=1", "validation=null")


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.stress)])
def test_a_signal_saves_and_prints_the_line_that_resumes(tmp_path, number):
    out = tmp_path / "a run"
    line = [sys.executable, "-m", "tinyreason", "recipe", *RUN_FOR_LONG, *NO_EVALUATION, "--out", str(out)]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not list((out / "checkpoints").glob("step-*")) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(number)
    said, complaint = process.communicate()
    assert process.returncode == 3, complaint
    assert "Ctrl-C again ends at once" in said
    assert "Traceback" not in complaint
    again = next(text for text in complaint.splitlines() if "to resume, type:" in text).partition("type: ")[2]
    assert shlex.split(again)[-1] == str(out) and "train.max_steps=500" in again
    last = max((out / "checkpoints").glob("step-*"))
    rows = [json.loads(text) for text in (out / "metrics.jsonl").open()]
    assert f"after step {len(rows)} of 500" in complaint
    assert last.name == f"step-{len(rows):06}"
    assert (out / "adapter" / "adapter_model.safetensors").exists()


def test_a_deadline_that_is_past_is_refused_before_anything_is_made(tmp_path):
    past = ("--deadline", "2020-01-01T10:00", "--out", str(tmp_path / "x"))
    done = tinyreason("recipe", *RUN_FOR_LONG, *past)
    assert done.exit_code == 2
    assert "is past" in done.output and done.output.count("\n") == 1
    assert not (tmp_path / "x").exists()
