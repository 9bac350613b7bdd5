"""One verdict over runs that differ in their seed: what a single run calls a gain is none unless all seeds have it."""

import json
import random

import pytest

from tinyreason.evaluation.controls import beyond_control
from tinyreason.evaluation.score import side_summary
from tinyreason.evaluation.second_opinion import believed_comparison
from tinyreason.evaluation.seeds import read_score, seed_folder, write_seeds_result
from tinyreason.runs.result import GRADERS_DISAGREE

PROBLEMS = 200


@pytest.fixture
def runs(tmp_path):
    """Writes the folder of a run for each (accuracy before, accuracy after), as a run leaves it; returns the folder."""

    def write(*accuracies, solved=r"\boxed{{{answer}}}", **changes):
        for seed, pair in enumerate(accuracies):
            chance = random.Random(seed)
            folder = seed_folder(tmp_path, seed)
            folder.mkdir()
            evaluation = {
                side: [problem(number, chance.random() < accuracy, solved) for number in range(PROBLEMS)]
                for side, accuracy in zip(("before", "after"), pair, strict=True)
            }
            (folder / "evaluation.json").write_text(json.dumps(evaluation))
            before, after = ([read_score(folder, side)] for side in evaluation)
            found = believed_comparison(before, after)
            found["second_opinion"] = found["second_opinion"].as_json()
            sides = {"before": side_summary(before).as_json(), "after": side_summary(after).as_json()}
            (folder / "result.json").write_text(
                json.dumps({"seed": seed} | sides | found | changes.get(f"seed{seed}", {}))
            )
        return tmp_path

    return write


def problem(number, is_correct, solved):
    text = solved.format(answer=number) if is_correct else r"\boxed{none}"
    reply = {"text": text, "tokens": 5, "truncated": False, "correct": is_correct}
    return {"id": f"p{number}", "problem": f"What is {number} + 0?", "answer": str(number), "replies": [reply]}


def whole(folder, count):
    return write_seeds_result(folder, range(count), range(count), "")


def test_the_drift_of_a_random_reward_that_every_run_calls_a_change_is_no_gain_over_seeds(runs):
    result = whole(runs((0.4, 0.6), (0.6, 0.4), (0.4, 0.6)), 3)
    assert [row.verdict for row in result.runs] == ["improved", "worse", "improved"]
    assert result.verdict == "cannot tell" and result.gain.points > 0


def test_a_gain_of_every_seed_is_one_and_its_interval_is_wider_than_by_problem_alone(runs):
    result = whole(runs((0.3, 0.7), (0.3, 0.65), (0.3, 0.75)), 3)
    assert result.verdict == "improved" and result.second_opinion.verdict == "improved"
    low, high = result.gain.interval
    own_low, own_high = result.runs[0].gain.interval
    assert high - low > own_high - own_low
    assert result.before.problems == PROBLEMS and 0 <= result.after.interval[0] < result.after.accuracy


def test_one_seed_whose_graders_disagree_is_enough(runs):
    result = whole(runs((0.3, 0.7), (0.3, 0.7), seed1={"verdict": GRADERS_DISAGREE}), 2)
    assert result.verdict == GRADERS_DISAGREE


def test_graders_disagree_over_all_where_a_stricter_one_finds_no_gain(runs):
    result = whole(runs((0.1, 0.8), (0.1, 0.8), (0.1, 0.8), solved="To calculate {answer} + 0, employ a formula."), 3)
    assert result.gain.points > 50 and result.verdict == GRADERS_DISAGREE


def test_one_seed_that_training_taught_nothing_is_named(runs):
    reason = {"verdict": "cannot tell", "verdict_reason": "training changed no weight"}
    result = whole(runs((0.3, 0.7), (0.3, 0.7), seed1=reason), 2)
    assert (result.verdict, result.verdict_reason) == ("cannot tell", "seed 1: training changed no weight")


def test_what_is_gained_over_a_control_is_by_seed_too_and_by_both_graders(runs):
    folder = runs((0.4, 0.6), (0.6, 0.4), (0.4, 0.6))
    sides = [[read_score(seed_folder(folder, seed), side) for seed in range(3)] for side in ("before", "after")]
    assert beyond_control("random", *sides).verdict == "cannot tell"
    assert beyond_control("random", *(side[:1] for side in sides)).verdict == "improved"
