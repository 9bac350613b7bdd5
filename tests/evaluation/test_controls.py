"""Controls: the same run with another reward; and a run can be evaluated and compared."""

import json

import pytest
from commands import printed, tinyreason

from tinyreason.config.recipe import read_recipe
from tinyreason.evaluation.controls import control_configs

QUICK = (
    *("train.max_steps=1", "train.rollouts_per_step=16", "evaluation.problems=8", "evaluation.samples=2"),
    *("validation.problems=4", "validation.every_steps=1", "train.max_completion_tokens=48"),
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    return out, printed("recipe", "one_shot_rlvr", "--on", "sandbox", "--controls", "--out", out, *QUICK)


def test_a_control_differs_from_the_run_in_its_reward_and_in_that_no_correct_answer_selects_its_checkpoint():
    config = read_recipe("one_shot_rlvr").resolve("sandbox", (), seed=3)
    for name, control in control_configs(config).items():
        changed = {
            option for option in type(config).model_fields if getattr(control, option) != getattr(config, option)
        }
        assert changed == {"rewards", "validation", "expected"}
        assert control.validation is None
        assert [reward.kind for reward in control.rewards] == [name]
    assert control_configs(config)["random"].rewards[0].seed == 3


def test_the_controls_are_trained_measured_and_shown_beside_the_run(finished):
    out, said = finished
    result = json.loads((out / "controls.json").read_text())
    assert [row["reward"] for row in result["runs"]] == ["correctness", "format", "random"]
    assert [row["control"] for row in result["beyond"]] == ["format", "random"]
    before = set()
    for row in result["runs"]:
        own = json.loads((out / row["folder"] / "result.json").read_text())
        assert (row["gain"], row["accuracy"]) == (own["gain"], own["after"]["accuracy"])
    before = {
        json.loads((out / row["folder"] / "result.json").read_text())["before"]["accuracy"] for row in result["runs"]
    }
    assert len(before) == 1
    table = said[said.index("controls: the same budget") :]
    for words in ("correctness", "format", "random", "beyond format", "beyond random", "the run's step 1 of 1"):
        assert words in table


def test_a_control_keeps_its_last_step_and_the_report_of_the_run_shows_it(finished):
    out, _ = finished
    for name in ("format", "random"):
        training = json.loads((out / "controls" / name / "result.json").read_text())["training"]
        assert (training["kept_step"], training["validation_accuracy"]) == (training["steps"], None)
    chosen = json.loads((out / "controls.json").read_text())["chosen"]
    assert chosen["step"] == chosen["steps"] and chosen["accuracy"] == chosen["last_accuracy"]
    assert "random reward" in (out / "report.html").read_text()


@pytest.mark.parametrize("kind", ["format", "random"])
def test_a_run_whose_reward_is_a_control_has_none(kind):
    done = tinyreason("recipe", "rlvr", f"rewards=[{{kind: {kind}}}]", "--on", "sandbox", "--controls")
    assert done.exit_code == 2
    assert f"--controls trains with the reward {kind}, and that is this run's own" in done.stderr


def test_each_control_was_rewarded_by_its_own_reward(finished):
    out, _ = finished
    for name in ("format", "random"):
        rows = [json.loads(line) for line in (out / "controls" / name / "rollouts.jsonl").open()]
        assert all(set(row["rewards"]) == {name} for row in rows)


def test_a_run_is_evaluated_against_its_base_and_compared(finished, tmp_path):
    out, _ = finished
    benchmark_run = tmp_path / "evaluation"
    words = ("--bench", "chain", "--problems", "8", "--samples", "2", "--no-template-check", "--out", benchmark_run)
    printed("eval", out, "--against", "base", *words)
    settings = json.loads((benchmark_run / "settings.json").read_text())
    assert settings["sampling"]["max_completion_tokens"] == 48
    assert settings["sides"]["model"]["adapter"] and not settings["sides"]["against"]["adapter"]
    samples = [json.loads(line) for line in (benchmark_run / "samples.jsonl").open()]
    run = json.loads((out / "evaluation.json").read_text())
    for side, ours in (("model", "after"), ("against", "before")):
        texts = {(row["id"], row["sample"]): row["text"] for row in samples if row["side"] == side}
        kept = {(row["id"], n): one["text"] for row in run[ours] for n, one in enumerate(row["replies"])}
        assert texts == kept
    (row,) = json.loads(printed("compare", out, benchmark_run, "--json"))
    assert (row["problems"], row["gain"]["points"], row["verdict"]) == (8, 0, "cannot tell")
    assert row["asked_otherwise"] == []
