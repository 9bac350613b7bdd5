"""The whole path, two steps short; and one real run, marked slow."""

import json

import pytest
import torch
from sessions import context_of, said
from synthetic_run import outcome

from tinyreason.adapters._adapter import read_lora
from tinyreason.cli.train_output import announce, conclude
from tinyreason.config.recipe import read_recipe
from tinyreason.console import PlainLive
from tinyreason.errors import ConfigError, DataError, FolderError, ModelError, Stopped
from tinyreason.pipeline.conclusion import meets_expectation
from tinyreason.pipeline.run import run
from tinyreason.runs import heartbeat
from tinyreason.runs.heartbeat import BASELINE, STEPS, ask_to_stop, read_heartbeat
from tinyreason.runs.reader import read_run
from tinyreason.runs.result import RunResult, read_result

QUICK = (
    "train.max_steps=2",
    "train.rollouts_per_step=16",
    "evaluation.problems=12",
    "evaluation.samples=2",
    "validation.problems=6",
    "validation.every_steps=1",
)


def run_quickly(out, *overrides: str, recipe: str = "one_shot_rlvr") -> tuple[RunResult, str]:
    """(result, what was on the screen)"""
    config = read_recipe(recipe).resolve("sandbox", (*QUICK, *overrides))
    context = context_of(config, reason="no CUDA GPU found")
    announce(context, config, out)
    result = run(config, out, context)
    conclude(context.console, result, out)
    return result, said(context)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    return *run_quickly(out), out


def test_the_run_folder_holds_what_the_readme_says(finished):
    _, _, out = finished
    names = {path.name for path in out.iterdir()}
    assert {"config.yaml", "environment.json", "metrics.jsonl", "rollouts.jsonl", "adapter", "log.txt"} <= names
    assert {"evaluation.json", "result.json", "report.html"} <= names
    assert not any(name.endswith(".part") for name in names)


def test_the_last_heartbeat_says_that_it_is_done_and_where_the_time_went(finished):
    beat = read_heartbeat(finished[2])
    assert beat.ended == "done"
    assert beat.spent_s.keys() >= {BASELINE, STEPS}


def test_a_run_that_is_asked_to_stop_from_outside_ends_after_its_step_with_a_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(heartbeat, "EVERY_S", 0.05)
    monkeypatch.setattr(PlainLive, "advance", asking_after_a_step(PlainLive.advance, tmp_path / "run"))
    with pytest.raises(Stopped, match="stopped by the page after step"):
        run_quickly(tmp_path / "run", "train.max_steps=200", "evaluation.template_check=false")
    stored = read_run(tmp_path / "run")
    assert stored.state == "stopped" and "stopped by the page after step" in stored.heartbeat.ended
    assert stored.steps < 200
    assert (tmp_path / "run" / "checkpoints" / f"step-{stored.steps:06}" / "state.json").is_file()


def asking_after_a_step(advance, folder):
    def advance_and_ask(live, count=1, note=""):
        advance(live, count, note)
        if live.work.what == STEPS and live.work.done == 1:
            ask_to_stop(folder)

    return advance_and_ask


def test_result_json_has_the_documented_shape(finished):
    result, _, out = finished
    assert read_result(out) == result
    result = json.loads((out / "result.json").read_text())
    assert result.keys() >= {"recipe", "tier", "model", "adapter", "before", "after", "gain", "verdict", "expected"}
    assert result.keys() >= {"meets_expectation", "seconds", "peak_memory_gb", "command", "seed"}
    for side in (result["before"], result["after"]):
        assert side.keys() >= {"accuracy", "interval", "mean_tokens", "problems", "samples"}
        assert 0 <= side["interval"][0] <= side["accuracy"] <= side["interval"][1] <= 1
        assert (side["problems"], side["samples"]) == (12, 2)
    low, high = result["gain"]["interval"]
    assert low <= result["gain"]["points"] <= high
    assert result["gain"]["points"] == pytest.approx(100 * (result["after"]["accuracy"] - result["before"]["accuracy"]))
    assert result["seconds"].keys() == {"total", "train", "evaluate"}
    assert result["adapter"] == {"kind": "lora", "trainable_parameters": 4608}


def test_the_evaluated_problems_are_neither_trained_on_nor_used_to_choose_the_checkpoint(finished):
    _, _, out = finished
    evaluation = json.loads((out / "evaluation.json").read_text())
    asked = {problem["id"] for side in evaluation.values() for problem in side}
    trained_on = {json.loads(line)["problem_id"] for line in (out / "rollouts.jsonl").open()}
    assert len(trained_on) == 1
    assert all(id.startswith("chain/test/") for id in asked)
    assert all(id.startswith("chain/train/") for id in trained_on)


def test_the_held_out_curve_stands_beside_the_training_reward(finished):
    _, _, out = finished
    rows = [json.loads(line) for line in (out / "metrics.jsonl").open()]
    assert [row["step"] for row in rows] == [1, 2]
    assert all({"reward/mean", "validation/accuracy", "kl/mean", "length/mean_tokens"} <= row.keys() for row in rows)


def test_the_screen_says_what_was_chosen_and_what_came_of_it(finished):
    _, console, out = finished
    for words in ("sandbox (no CUDA GPU found)", "problem", "before", "after", "gain", "4,608 parameters", str(out)):
        assert words in console
    assert "Warning" not in console


def test_the_saved_adapter_is_the_one_that_was_evaluated(finished, sandbox):
    from tinyreason.inference.sampling import Sampling, sample_completions

    _, _, out = finished
    config = read_recipe("one_shot_rlvr").resolve("sandbox", QUICK)
    model, tokenizer = sandbox
    model = config.adapter.attach(model, seed=5)
    config.adapter.restore(model, out / "adapter")
    after = json.loads((out / "evaluation.json").read_text())["after"]
    questions = config.data.held_out(12, "test", without=set())
    texts, _, _ = sample_completions(
        model.eval(), tokenizer, questions, Sampling(2, 1.0, 160, 256, "plain", seed=0), lambda _: None
    )
    assert texts == [reply["text"] for problem in after for reply in problem["replies"]]


@pytest.mark.parametrize(
    ("override", "error"),
    [
        ("data.index=100000000", DataError),
        ("data.file=missing.jsonl", DataError),
        ("model.name=.", ModelError),
    ],
)
def test_a_persons_error_leaves_nothing_behind(override, error, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(error):
        run_quickly(out, override)
    assert not out.exists()


def test_a_gold_answer_that_cannot_be_graded_is_refused_before_training(tmp_path):
    file = tmp_path / "odd.jsonl"
    rows = [{"question": f"{n}+1?", "answer": str(n + 1)} for n in range(40)]
    rows[0]["answer"] = "\\begin{nonsense"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match="gold answer of problem 0"):
        run_quickly(tmp_path / "run", f"data.file={file}", "data.index=0")


def test_a_held_out_problem_that_cannot_be_graded_is_left_out_and_named(tmp_path):
    file = tmp_path / "odd.jsonl"
    rows = [{"question": f"{n}+1?", "answer": "\\begin{nonsense" if n == 7 else str(n + 1)} for n in range(12)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    _, console = run_quickly(tmp_path / "run", f"data.file={file}", "data.index=0", "train.max_steps=1")
    assert "cannot be graded: 7" in console


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FolderError, match="not empty"):
        run_quickly(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def finding(change=0.5, **expected):
    """A result of accuracy 0.9 and a gain of 50 to 60 points after two minutes, on a tier that expects this."""
    values = outcome(interval=(50, 60)) | {"seconds": {"total": 120}, "expected": expected or None}
    values |= {"after": values["after"] | {"accuracy": 0.9}, "tokens": {"change": change, "interval": [change] * 2}}
    return RunResult.model_validate(values)


def test_a_run_is_held_against_what_its_tier_promises():
    assert meets_expectation(finding()) is None
    assert meets_expectation(finding(accuracy=0.85, gain_points=45, minutes=5)) is True
    assert meets_expectation(finding(accuracy=0.95)) is False
    assert meets_expectation(finding(accuracy=0.85, gain_points=55)) is False
    assert meets_expectation(finding(accuracy=0.85, minutes=1)) is False


def test_real_problems_run_through_and_are_honestly_not_solved(tmp_path, shared_data):
    file = shared_data / "gsm8k_train.jsonl"
    result, _ = run_quickly(tmp_path / "run", f"data.file={file}", "data.index=5", "train.max_completion_tokens=32")
    assert result.after.accuracy < 0.2
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").exists()


def test_tensorboard_gets_the_steps_of_a_run(tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run_quickly(tmp_path / "run", "trl.report_to=tensorboard")
    log = events.EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert [event.step for event in log.Scalars("train/reward")] == [1, 2]


def test_a_tracker_that_is_not_there_is_refused_before_anything_is_done(tmp_path):
    with pytest.raises(ConfigError, match=r"trl\.report_to=tensorbord"):
        run_quickly(tmp_path / "run", "trl.report_to=tensorbord")
    assert not (tmp_path / "run").exists()


def test_a_report_that_cannot_be_written_costs_one_line_and_no_result(tmp_path, monkeypatch):
    monkeypatch.setattr("tinyreason.reporting.report.PAGE", tmp_path / "nowhere")
    result, console = run_quickly(tmp_path / "run")
    assert json.loads((tmp_path / "run" / "result.json").read_text())["seed"] == result.seed
    assert "no report.html: " in console
    assert f"type: tinyreason report {tmp_path / 'run'}" in console


@pytest.mark.slow
def test_one_problem_teaches_the_sandbox_model_to_reason(tmp_path):
    fewer = (
        "train.max_steps=60",
        "evaluation.problems=96",
        "evaluation.template_check=false",
        "validation.problems=48",
    )
    config = read_recipe("one_shot_rlvr").resolve("sandbox", fewer)
    result = run(config, tmp_path / "run", context_of(config))
    assert result.before.accuracy <= 0.35
    assert result.after.accuracy >= 0.85
    assert result.gain.interval[0] >= 45
    assert result.verdict == "improved"


def test_critiques_of_one_problem_are_built_and_trained_on(tmp_path):
    overrides = ("critiques.attempts=24", "critiques.attempts_by=[oracle]", "train.max_steps=2", "train.batch_size=4")
    evaluation = ("evaluation.problems=6", "evaluation.samples=1")
    config = read_recipe("one_shot_cft").resolve("sandbox", (*overrides, *evaluation))
    context = context_of(config)
    result = run(config, tmp_path / "run", context)
    rows = [json.loads(line) for line in (tmp_path / "run" / "critiques.jsonl").open()]
    assert {row["problem_id"] for row in rows} == {"chain/train/0"}
    assert {row["verdict"] == "right" for row in rows} == {row["attempt_correct"] for row in rows} == {True, False}
    assert all(row["attempt_correct"] == (row["verdict"] == "right") for row in rows)
    assert f"built   {len(rows)} critiques by oracle" in said(context)
    assert result.training.last_loss > 0


def test_supervised_fine_tuning_runs_through_and_shows_its_loss(tmp_path):
    overrides = ("data.size=16", "train.max_steps=2", "train.batch_size=4", "evaluation.problems=6")
    config = read_recipe("reasoning_sft").resolve("sandbox", (*overrides, "evaluation.samples=1"))
    context = context_of(config)
    result = run(config, tmp_path / "run", context)
    conclude(context.console, result, tmp_path / "run")
    assert "training    loss" in said(context)
    assert [json.loads(line)["step"] for line in (tmp_path / "run" / "metrics.jsonl").open()] == [1, 2]


def test_an_evaluation_of_nothing_but_training_problems_is_refused(tmp_path, jsonl):
    file = jsonl(*({"problem": f"{n}+1?", "answer": str(n + 1)} for n in range(4)))
    overrides = (f"data.file={file}", "data.size=null", f"evaluation.data={{kind: problems, file: {file}}}")
    config = read_recipe("rlvr").resolve("sandbox", overrides)
    with pytest.raises(DataError, match="training holds every problem there is for the evaluation, whole or"):
        run(config, tmp_path / "run", context_of(config))


def test_rows_without_completions_are_refused_before_anything_is_measured(tmp_path):
    config = read_recipe("one_shot_cft").resolve("sandbox", ("critiques=null",))
    with pytest.raises(DataError, match=r"problem chain/train/0 has no completion .*critiques:"):
        run(config, tmp_path / "run", context_of(config))
    assert not (tmp_path / "run").exists()


LENGTH = (
    *("train.max_steps=2", "train.rollouts_per_step=8", "train.group_size=4", "data.size=2"),
    *("evaluation.problems=8", "evaluation.samples=1", "warmup.data.size=64"),
    *("warmup.train.max_steps=4", "warmup.train.batch_size=16"),
)


def run_length_grpo(out, *overrides):
    """(result, what was on the screen)"""
    config = read_recipe("length_grpo").resolve("sandbox", (*LENGTH, *overrides))
    context = context_of(config)
    announce(context, config, out)
    result = run(config, out, context)
    conclude(context.console, result, out)
    return result, said(context)


def test_a_warm_up_comes_before_the_baseline_and_the_kl_penalty_holds_to_it(tmp_path):
    result, console = run_length_grpo(tmp_path / "run", "train.learning_rate=1e-9")
    first, again = (
        json.loads((tmp_path / "run" / "evaluation.json").read_text())[side] for side in ("before", "after")
    )
    assert first == again  # GRPO hardly moved, so what is left of the change since the base is the warm-up's
    start, end = (read_lora(tmp_path / "run" / folder) for folder in ("warmup/adapter", "adapter"))
    assert all(b.abs().max() > 0 for _, b in start.values())
    assert all(torch.allclose(b, end[name][1], atol=1e-7) for name, (_, b) in start.items())
    assert "start   after the warm-up on 64 rambling problems of the sandbox (chain)" in console
    assert result.seconds["warmup"] > 0
    kl = [json.loads(line)["kl/mean"] for line in (tmp_path / "run" / "metrics.jsonl").open()]
    assert max(kl) < 1e-4


def test_a_warm_up_of_an_earlier_run_can_be_taken_over(tmp_path):
    result, _ = run_length_grpo(tmp_path / "one")
    again, _ = run_length_grpo(tmp_path / "two", f"warmup.adapter={tmp_path / 'one' / 'warmup' / 'adapter'}")
    assert (again.before, again.after) == (result.before, result.after)
    assert not (tmp_path / "two" / "warmup").exists()
    with pytest.raises(ModelError, match="is not an adapter folder"):
        run_length_grpo(tmp_path / "three", f"warmup.adapter={tmp_path}")


def test_a_reward_with_a_history_is_refused_where_no_problem_comes_back(tmp_path):
    with pytest.raises(ConfigError, match=r"hapo_length compares a problem .* 4 visits to 4 problems never come back"):
        run_length_grpo(tmp_path / "run", "rewards=[{kind: hapo_length}]", "data.size=4")
    with pytest.raises(ConfigError, match=r"2 visits to 1 problems never come back to one; raise train\.max_steps"):
        run_length_grpo(tmp_path / "run", "rewards=[{kind: hapo_length}]", "data.size=1", "train.max_steps=1")
    assert not (tmp_path / "run").exists()


def test_one_process_among_several_is_refused_before_anything_is_done(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="starts its processes itself"):
        run_quickly(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_is_known_to_go_wrong_with_a_length_reward_is_said_before_training():
    def announced(*overrides):
        config = read_recipe("length_grpo").resolve("sandbox", overrides)
        context = context_of(config)
        announce(context, config, "out")
        return said(context)

    assert "caveat" not in announced()
    assert "where all completions of a group are correct" in announced("advantage.kind=grpo")
    assert "caveat" not in announced("advantage.kind=grpo", "rewards=[{kind: correctness}]")
    assert "length costs them nothing" in announced("train.mask_truncated_completions=true")
    two = "rewards=[{kind: correctness}, {kind: kimi_length}, {kind: format}]"
    idle = "advantage maxrl looks at correctness alone: reward kimi_length and format change nothing"
    assert idle in announced("advantage.kind=maxrl", two)
    assert "caveat" not in announced("advantage.kind=maxrl", "rewards=[{kind: correctness}]")
    assert "caveat" not in announced("advantage.kind=gdpo", two)
    one = "advantage gdpo with one reward is grpo, divided by the batch's standard deviation"
    assert one in announced("advantage.kind=gdpo", "rewards=[{kind: correctness}]")


def test_a_run_that_would_not_see_its_collapse_or_does_not_ask_for_what_it_pays_is_warned():
    def announced(*overrides):
        config = read_recipe("rlvr").resolve("sandbox", overrides)
        context = context_of(config)
        announce(context, config, "out")
        return said(context)

    no_labels = ("rewards=[{kind: empo_cluster}, {kind: format}, {kind: correctness, weight: 0}]",)
    assert "no reward reads the gold answers and there is no validation set" in announced(*no_labels)
    assert "caveat" not in announced(*no_labels, "validation.problems=8")
    assert "caveat" not in announced("rewards=[{kind: empo_cluster}, {kind: correctness, weight: 0.1}]")
    tags = ("rewards=[{kind: rlcr_brier}]",)
    assert "rlcr_brier pays for tags that prompt=plain does not ask for; type prompt=confidence" in announced(*tags)
    assert "caveat" not in announced(*tags, "prompt=confidence")
    steps = "train: {max_steps: 2, max_tokens: 64, max_completion_tokens: 9}"
    assert "caveat" not in announced(*tags, f"warmup={{data: {{kind: solutions, name: sandbox}}, {steps}}}")


def test_a_run_that_promises_fewer_tokens_is_held_to_it():
    assert meets_expectation(finding(change=-0.41, accuracy=0.85, tokens_cut=0.4)) is True
    assert meets_expectation(finding(change=-0.39, accuracy=0.85, tokens_cut=0.4)) is False
