"""The warnings of a run: each warning where it is due, and none where all is well."""

import json

import pytest
from synthetic_run import controls, outcome, rollout, write_run

from tinyreason.reporting.run_warnings import run_warnings
from tinyreason.runs.reader import read_run


def titles(folder):
    return " | ".join(warning.title for warning in run_warnings(read_run(folder)))


def rewrite_metrics(folder, **series):
    steps = zip(*series.values(), strict=True)
    rows = [{"step": n} | dict(zip(series, values, strict=True)) for n, values in enumerate(steps, 1)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run", steps=10)


def test_a_good_run_has_no_warning(run):
    assert titles(run) == ""


@pytest.mark.parametrize(("last", "is_warned_of"), [(-3.0, True), (-0.2, False)])
def test_what_is_imitated_and_becomes_less_likely_is_named(run, last, is_warned_of):
    rewrite_metrics(run, **{"logp/positive": [-0.04] * 5 + [last] * 5})
    assert (titles(run) == "What is imitated became less likely") == is_warned_of


@pytest.mark.parametrize(("distance", "is_warned_of"), [(0.5, True), (0.02, False)])
def test_rollouts_of_another_policy_are_named(run, distance, is_warned_of):
    rewrite_metrics(run, **{"sampling/logp_difference": [distance] * 10})
    assert (titles(run) == "The rollouts come from another policy, 0.50 nats a token away") == is_warned_of


def test_groups_without_a_gradient_are_counted(run):
    rewrite_metrics(run, **{"group/share_zero_variance": [0.62] * 10})
    assert titles(run) == "No gradient in 62% of groups"


def test_an_advantage_with_another_baseline_learns_from_them(run):
    rewrite_metrics(run, **{"group/share_zero_variance": [0.62] * 10})
    with (run / "config.yaml").open("a") as config:
        config.write("advantage: [{kind: grpo}, {kind: rl_zvp}]\n")
    assert titles(run) == ""


@pytest.mark.parametrize(("is_correct", "advice"), [(True, "harder problems"), (False, "easier problems")])
def test_the_advice_depends_on_whether_the_groups_were_all_correct_or_all_incorrect(run, is_correct, advice):
    rewrite_metrics(run, **{"group/share_zero_variance": [1.0] * 10})
    lines = [rollout(step, 0, "x", is_correct) for step in range(1, 11) for _ in range(4)]
    lines.append(rollout(11, 0, "x", not is_correct))
    lines.append(rollout(11, 0, "x", is_correct))
    (run / "rollouts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (warning,) = run_warnings(read_run(run))
    assert advice in warning.text


def test_a_reward_that_rises_while_validation_accuracy_falls_is_named_with_the_steps(run):
    rewrite_metrics(run, **{"reward/mean": [n / 10 for n in range(10)], "validation/accuracy": [0.3, 0.9] + [0.5] * 8})
    (warning,) = run_warnings(read_run(run))
    assert warning.title == "The reward rises while validation accuracy falls"
    assert "90% at step 2 and is 50% at step 10" in warning.text


def test_a_dip_of_the_validation_within_chance_is_not_a_warning(run):
    rewrite_metrics(run, **{"reward/mean": [n / 10 for n in range(10)], "validation/accuracy": [0.3, 0.8] + [0.75] * 8})
    assert titles(run) == ""


def test_a_reward_that_rises_without_a_gain_is_named(tmp_path):
    run = write_run(tmp_path / "run", steps=30, **outcome(0.5, (-1.0, 2.0), "cannot tell"))
    assert "The training reward rose, other problems gained nothing" in titles(run)


def test_completions_at_the_limit_are_named_in_training_and_in_the_evaluation(tmp_path):
    after = outcome()["after"] | {"truncated": 0.08}
    run = write_run(tmp_path / "run", after=after)
    rewrite_metrics(run, **{"length/share_truncated": [0.0, 0.3]})
    assert titles(run).split(" | ") == [
        "Completions hit the limit: 15% of the last rollouts were truncated",
        "8% of the evaluated completions were truncated",
    ]


def problems_with(answers):
    """The evaluation's problems, each with one incorrect completion that gives this answer."""
    return [
        {"id": f"t/{n}", "accuracy": 0.0, "replies": [{"text": f"so \\boxed{{{answer}}}", "correct": False}]}
        for n, answer in enumerate(answers)
    ]


@pytest.mark.parametrize(("after", "is_warned_of"), [([42] * 8 + list(range(12)), True), (list(range(20)), False)])
def test_one_answer_to_many_problems_is_memorised(run, after, is_warned_of):
    sides = {"before": problems_with(range(20)), "after": problems_with(after)}
    (run / "evaluation.json").write_text(json.dumps(sides))
    assert titles(run) == ("One answer is memorised: 42" if is_warned_of else "")


def test_an_answer_that_the_base_already_favoured_is_not_memorised(run):
    favourite = [0] * 8 + list(range(1, 13))
    (run / "evaluation.json").write_text(
        json.dumps({"before": problems_with(favourite), "after": problems_with(favourite)})
    )
    assert titles(run) == ""


@pytest.mark.parametrize(("points", "is_warned_of"), [(25.0, True), (3.0, False)])
def test_a_control_that_gains_half_as_much_is_named(run, points, is_warned_of):
    (run / "controls.json").write_text(json.dumps(controls(points)))
    assert titles(run) == ("A format reward gains half as much, or more" if is_warned_of else "")


def test_nothing_correct_and_nothing_graded_are_named(run):
    lines = [rollout(1, 0, "x", False) for _ in range(4)]
    (run / "rollouts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert titles(run) == "No rollout was correct"
    lines = [line | {"correct": None, "rewards": {"correctness": None}} for line in lines]
    (run / "rollouts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert titles(run) == "100% of the rollouts could not be graded"
    lines = [line | {"rewards": {"empo_cluster": 0.5}} for line in lines]  # nothing was to be graded
    (run / "rollouts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert titles(run) == ""


def test_groups_without_a_gradient_that_nobody_could_grade_are_not_called_incorrect(run):
    rewrite_metrics(run, **{"group/share_zero_variance": [0.9] * 10})
    row = rollout(1, 0, "x", False) | {"correct": None, "rewards": {"empo_cluster": 0.5}}
    (run / "rollouts.jsonl").write_text((json.dumps(row) + "\n") * 4)
    assert [group.outcome for group in read_run(run).groups] == ["all alike"]
    (warning,) = run_warnings(read_run(run))
    assert "Without gold answers nothing says whether they were correct" in warning.text


def test_too_few_problems_and_no_room_for_a_gain_are_named(tmp_path):
    wide = write_run(tmp_path / "wide", steps=2, **outcome(3.0, (-9.0, 15.0), "cannot tell"))
    rewrite_metrics(wide, **{"kl/mean": [0.1]})
    assert titles(wide) == "Too few problems to tell"
    full = write_run(tmp_path / "full", before=outcome()["before"] | {"accuracy": 0.97})
    assert titles(full) == "The base was already correct nearly always"


def test_what_became_shorter_at_the_same_accuracy_was_not_in_vain(tmp_path):
    figures = outcome(0.5, (-1.0, 2.0), "cannot tell") | {"before": outcome()["before"] | {"accuracy": 0.97}}
    shorter = {"tokens": {"change": -0.4, "interval": [-0.45, -0.35]}}
    assert titles(write_run(tmp_path / "shorter", steps=30, **figures, **shorter)) == ""
    assert "gained nothing" in titles(write_run(tmp_path / "as-long", steps=30, **figures))
    worse = figures | {"verdict": "worse"}
    assert "gained nothing" in titles(write_run(tmp_path / "worse", steps=30, **worse, **shorter))


def test_a_loss_that_is_not_a_number_comes_first(run):
    rewrite_metrics(run, loss=[0.5, float("nan")], **{"group/share_zero_variance": [1.0, 1.0]})
    assert titles(run).startswith("loss is not a number from step 2 on | No gradient in 100%")


def opinion(points, low, high, before=0.0, after=0.0):
    """What a stricter grader found, and the share of correct completions without a marked answer."""
    signs = [{"no_marked_answer": share} for share in (before, after)]
    gain = {"points": points, "interval": [low, high]}
    return {"accuracy": [0.25, 0.2], "gain": gain, "verdict": "worse", "signs": signs}


def test_graders_that_disagree_are_named_with_both_gains(tmp_path):
    second = opinion(-5.0, -8.0, -2.0)
    run = write_run(tmp_path / "run", steps=10, verdict="graders disagree", second_opinion=second)
    (warning,) = run_warnings(read_run(run))
    assert warning.title == "Another grader finds another gain"
    assert "-5.0 points [-8.0, -2.0]" in warning.text and "+40.0" in warning.text


def test_a_sign_of_reward_hacking_that_grows_is_named_in_the_evaluation_and_in_training(tmp_path, run):
    evaluated = write_run(tmp_path / "second", steps=10, second_opinion=opinion(40.0, 35.0, 45.0, 0.1, 0.4))
    assert titles(evaluated) == "A sign of reward hacking"
    assert titles(write_run(tmp_path / "third", steps=10, second_opinion=opinion(40.0, 35.0, 45.0, 0.9, 0.9))) == ""
    rewrite_metrics(run, **{"hacking/truncated": [0.0] * 5 + [0.6] * 5})
    assert titles(run) == "A sign of reward hacking"


def test_a_gradient_that_overflows_and_is_finite_again_is_not_a_breakdown(run):
    nan = float("nan")
    rewrite_metrics(run, **{"gradient/norm": [nan, float("inf"), *[1.0] * 8]})
    assert titles(run) == ""
    rewrite_metrics(run, **{"gradient/norm": [1.0, *[nan] * 9]})
    assert titles(run) == "gradient/norm is not a number from step 2 on"
