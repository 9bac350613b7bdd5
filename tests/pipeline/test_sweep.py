"""A sweep: what is compared, that it resumes where it stopped, and what its table says."""

import io
import json
import shutil
from pathlib import Path

import pytest
from commands import tinyreason
from rich.console import Console as RichConsole

from tinyreason.config.own_code import check_allowed
from tinyreason.config.recipe import read_recipe
from tinyreason.console import Console
from tinyreason.errors import ConfigError, FolderBusy, FolderError
from tinyreason.models.load import compute_settings_for
from tinyreason.pipeline import sweep
from tinyreason.pipeline.sweep import log_file, run_sweep, sweep_points, sweep_runs
from tinyreason.runs.context import RunContext

TINY = (
    *("train.max_steps=2", "train.rollouts_per_step=8", "train.group_size=4", "data.size=2"),
    *("evaluation.problems=6", "evaluation.samples=1", "warmup.data.size=16"),
    *("warmup.train.max_steps=2", "warmup.train.batch_size=4"),
)


@pytest.fixture(scope="module")
def plan():
    return read_recipe("length_grpo")


def compare(plan, out, rewards=None, vary=(), overrides=TINY, seeds=(0,)):
    """(rows, what was on the screen)"""
    runs = sweep_runs(plan, "sandbox", sweep_points(plan, "sandbox", rewards, vary), overrides, list(seeds), out)
    console = Console(RichConsole(file=io.StringIO(), width=200))
    compute = compute_settings_for(runs[0].config.model, runs[0].config.kernels, card=None)
    return run_sweep(runs, out, RunContext(console, compute)), console.rich.file.getvalue()


def names(plan, *arguments):
    return [point.name for point in sweep_points(plan, "sandbox", *arguments)]


def test_all_are_the_recipes_variants_and_cover_every_reward_that_reads_length(plan):
    from tinyreason.algorithms.rewards import REWARDS

    found = sweep_points(plan, "sandbox", "all", ())
    runs = sweep_runs(plan, "sandbox", found, (), [0], Path("x"))
    used = {reward.kind for run in runs for reward in run.config.rewards}
    assert used >= {kind for kind in REWARDS if REWARDS[kind].reads_length} | {"correctness", "campo_loop_penalty"}
    assert "gfpo" in {run.config.advantage.kind for run in runs}
    assert any(run.config.train.thinkprune for run in runs)
    spent = {(run.config.train.max_steps, run.config.train.rollouts_per_step) for run in runs}
    assert len(spent) == 1 and all(run.path.is_relative_to("x") for run in runs)


def test_plain_grpo_is_always_among_the_points(plan):
    assert names(plan, "hapo_length", ()) == ["correctness", "hapo_length"]
    assert names(plan, None, ("train.kl=0,0.1",)) == ["correctness", "train.kl=0", "train.kl=0.1"]


def test_rewards_and_several_options_are_combined(plan):
    assert names(plan, "correctness,format", ("train.kl=0,1", "rewards.0.weight=2")) == [
        "correctness",
        *(f"{reward} train.kl={kl} rewards.0.weight=2" for reward in ("correctness", "format") for kl in (0, 1)),
    ]


def test_a_value_may_be_a_whole_list_of_rewards(plan):
    found = sweep_points(
        plan, "sandbox", None, ("rewards=[{kind: format}],[{kind: correctness}, {kind: kimi_length}]",)
    )
    runs = sweep_runs(plan, "sandbox", found, (), [0], Path("x"))
    assert [[r.kind for r in run.config.rewards] for run in runs[1:]] == [["format"], ["correctness", "kimi_length"]]


@pytest.mark.parametrize(
    ("rewards", "vary", "named"),
    [
        ("hapo_lenght", (), "--rewards 'hapo_lenght' is unknown; did you mean 'hapo_length'"),
        ("", (), "--rewards '' is unknown"),
        ("format,format", (), "named twice"),
        (None, ("train.kl",), "not an option with values"),
        (None, ("train.kl=",), "not an option with values"),
        (None, ("train.kil=1,2",), "no option 'train.kil'"),
        (None, ("train.kl=-1",), "train.kl=-1"),
        (None, ("rewards.0.kind=nothing",), "unknown"),
    ],
)
def test_a_comparison_that_cannot_be_is_one_sentence_before_anything_is_run(plan, rewards, vary, named, tmp_path):
    with pytest.raises(ConfigError) as caught:
        compare(plan, tmp_path / "out", rewards, vary)
    assert named in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_reward_of_ones_own_file_is_compared_like_any_other(plan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("def reward(completions, examples):\n    return [0.0 for _ in completions]\n")
    found = sweep_points(plan, "sandbox", "./mine.py:reward,format", ("rewards.0.weight=2",))
    assert [point.name for point in found][1:] == [
        "./mine.py:reward rewards.0.weight=2",
        "format rewards.0.weight=2",
    ]
    runs = sweep_runs(plan, "sandbox", found, (), [0], Path("x"))
    assert [[r.kind for r in run.config.rewards] for run in runs[1:]] == [["mine.py:reward"], ["format"]]
    check_allowed(runs[1].config)  # who types a file's name trusts it
    assert len({run.path for run in runs}) == 3 and all(run.path.parent == Path("x/runs") for run in runs)
    with pytest.raises(ConfigError, match="has no function or class 'rewart'; did you mean 'reward'"):
        sweep_runs(plan, "sandbox", sweep_points(plan, "sandbox", "./mine.py:rewart", ()), (), [0], Path("x"))


@pytest.fixture(scope="module")
def done(plan, tmp_path_factory):
    out = tmp_path_factory.mktemp("sweep") / "out"
    return *compare(plan, out, "l1_max", ("train.kl=0.01,0.02",)), out


def test_it_leaves_a_table_and_a_picture(done):
    rows, console, out = done
    assert [row.name for row in rows] == ["start", "correctness", "l1_max train.kl=0.01", "l1_max train.kl=0.02"]
    assert json.loads((out / "frontier.json").read_text()) == json.loads(json.dumps([row.as_json() for row in rows]))
    assert (out / "frontier.md").read_text().startswith("| point | accuracy |")
    assert (out / "frontier.svg").read_text().lstrip().startswith("<?xml")
    assert (out / "frontier.png").read_bytes().startswith(b"\x89PNG")
    assert "run 3/3 l1_max train.kl=0.02, seed 0:" in console and "left" in console


def test_the_warm_up_is_done_once(done):
    _, _, out = done
    assert len(list((out / "warmup").iterdir())) == 1
    assert len(list((out / "runs").glob("*/warmup"))) == 1
    files = sorted((out / "runs").glob("*l1_max*/evaluation.json"))
    starts = [json.loads(file.read_text())["before"] for file in files]
    assert len(starts) == 2 and starts[0] == starts[1]


def test_a_baseline_is_measured_once_for_all_that_begin_alike(plan, done, tmp_path):
    _, _, out = done
    said = {file.stem: file.read_text() for file in (out / "runs").glob("*.log")}
    taken = [name for name, text in said.items() if "was measured before" in text]
    assert len(said) == 3 and len(taken) == 1 and "0.02" in taken[0]  # the prompt of l1_max asks for a length
    assert len(list((out / "baselines").iterdir())) == 2
    alone, _ = compare(plan, tmp_path / "alone", "l1_max", ("train.kl=0.02",))
    assert alone[-1].as_json() | {"seconds": 0} == done[0][-1].as_json() | {"seconds": 0, "name": alone[-1].name}


def test_what_is_finished_is_kept_and_what_is_not_is_done_again(plan, done):
    rows, _, out = done
    stamps = {file: file.stat().st_mtime_ns for file in (out / "runs").glob("*/result.json")}
    first, kept, last = sorted(stamps)  # the one that made the warm-up, and one that took it over
    first.unlink(), last.unlink()
    again, console = compare(plan, out, "l1_max", ("train.kl=0.01,0.02",))
    assert "3: 1 kept from before, 2 to do" in console and "FAILED" not in console
    assert [file for file in stamps if file.stat().st_mtime_ns == stamps[file]] == [kept]
    assert again == rows


def test_a_point_that_fails_is_named_and_the_others_are_run(plan, tmp_path):
    overrides = (*TINY, "data.size=4", "evaluation.batch_size=64")  # on 4 problems hapo_length sees none twice
    rows, console = compare(plan, tmp_path / "out", "hapo_length,correctness", (), overrides)
    assert [row.name for row in rows] == ["start", "correctness"]
    assert "run 1/2 hapo_length, seed 0: FAILED, hapo_length compares a problem with its visits" in console
    assert "Not run yet, or failed: hapo_length, seed 0." in (tmp_path / "out" / "frontier.md").read_text()
    assert "never come back" in (tmp_path / "out" / "runs" / "hapo_length-seed0.log").read_text()


def test_a_run_begun_by_other_code_is_resumed_where_that_is_accepted_and_the_table_says_so(done, tmp_path):
    out = shutil.copytree(done[-1], tmp_path / "out")
    begun = out / "runs" / "correctness-seed0"
    (begun / "result.json").unlink()
    known = json.loads((begun / "environment.json").read_text())
    (begun / "environment.json").write_text(json.dumps(known | {"versions": known["versions"] | {"trl": "0.0.1"}}))
    line = ("length_grpo", *TINY, "--rewards", "l1_max", "--vary", "train.kl=0.01,0.02", "--on", "sandbox")
    refused = tinyreason("sweep", *line, "--out", out)
    assert refused.exit_code == 2 and "correctness, seed 0: FAILED" in refused.stdout
    assert "Not run yet, or failed: correctness, seed 0." in (out / "frontier.md").read_text()
    accepted = tinyreason("sweep", *line, "--out", out, "--accept-changes")
    assert accepted.exit_code == 0, accepted.output
    said = "Not bit-exact, as they were resumed otherwise than begun: correctness, seed 0."
    assert said in (out / "frontier.md").read_text() and said in accepted.stdout


def test_each_run_has_a_place_of_its_own_that_other_points_do_not_move(plan):
    def places(*arguments):
        runs = sweep_runs(plan, "sandbox", sweep_points(plan, "sandbox", *arguments), (), [0, 1], Path("x"))
        return {(run.point.name, run.config.seed): log_file(run) for run in runs}

    alone = places("l1_max", ("train.kl=0.01,0.02", "rewards.0.alpha=0.1,0.2"))
    assert len(set(alone.values())) == len(alone) == 2 * (4 + 1)
    few, many = places("l1_max", ()), places("all", ())
    assert few.items() <= many.items()


def test_a_finished_run_with_other_values_is_not_mixed_in(plan, done):
    _, _, out = done
    with pytest.raises(FolderError, match=r"another run: train\.temperature is 1\.0 there and 0\.9 here"):
        compare(plan, out, "l1_max", ("train.kl=0.01,0.02",), (*TINY, "train.temperature=0.9"))


def test_what_another_process_has_is_left_to_it_and_waited_for(plan, tmp_path, monkeypatch):
    tried, waits = [], []

    def busy_at_first(config, path, context):
        tried.append(path.name)
        path.mkdir(parents=True, exist_ok=True)
        if not waits:
            raise FolderBusy(f"another process is running in {path}; wait for it.")
        raise FolderError("it has died, and its disk is full")  # so the run is this process's

    monkeypatch.setattr("tinyreason.pipeline.run.run", busy_at_first)
    monkeypatch.setattr(sweep.time, "sleep", waits.append)
    rows, console = compare(plan, tmp_path, "hapo_length")
    assert not rows and console.count("run 2/2 hapo_length, seed 0: another process has it") == 1
    assert waits == [sweep.LOOK_AGAIN_S] and console.count("FAILED, it has died") == 2
    assert tried[:2] == ["correctness-seed0", "hapo_length-seed0"] and sorted(tried[3:]) == sorted(tried[:2])
    assert not (tmp_path / "runs" / "hapo_length-seed0.log").read_text().startswith("FolderBusy")
