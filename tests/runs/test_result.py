"""A run's result: what is written is what is read, key by key, and what is damaged is refused."""

import json

import pytest
from pydantic import ValidationError
from synthetic_run import controls, evaluation, outcome

from tinyreason.errors import FolderError
from tinyreason.runs.result import ControlsResult, RunResult, StoredEvaluation, read_result
from tinyreason.runs.result_in_words import expected_in_words

SIDE = {"accuracy": 0.1875, "interval": [0.07, 0.36], "mean_tokens": 9.625, "truncated": 0.0, "problems": 16}
WHOLE = {
    "recipe": "one_shot_rlvr",
    "tier": "sandbox",
    "model": "sandbox",
    "adapter": {"kind": "lora", "trainable_parameters": 4608},
    "before": SIDE | {"samples": 2},
    "after": SIDE | {"samples": 2},
    "gain": {"points": 0.0, "interval": [-20.5, 20.5], "p_value": 1.0},
    "verdict": "cannot tell",
    "tokens": {"change": 0, "interval": [-0.25, 0.5]},
    "expected": {"accuracy": 0.85, "gain_points": 45.0},
    "training": {"problems": "problem 6", "steps": 3, "kept_step": 3, "validation_accuracy": None, "last_reward": 0.25},
    "seconds": {"total": 13.777330285999994, "evaluate": 0.35, "train": 9.0},
    "peak_memory_gb": 1.2440261840820312,
    "command": "tinyreason recipe one_shot_rlvr --out caf\udce9",
    "seed": 0,
    "meets_expectation": False,
}
"""As a run writes it, in the order in which it writes it; the command has a file name that is not UTF-8."""


def test_a_result_is_read_back_as_it_was_written_with_its_keys_in_their_order(tmp_path):
    result = RunResult.model_validate(WHOLE)
    text = json.dumps(result.as_json(), indent=1)
    assert text == json.dumps(WHOLE, indent=1)
    (tmp_path / "result.json").write_text(text)
    assert read_result(tmp_path) == result
    assert (result.before.accuracy, result.gain.interval, result.training.last_loss) == (0.1875, [-20.5, 20.5], None)


def test_an_older_file_may_lack_what_the_comparison_does_not_need_and_a_newer_one_may_hold_more():
    old = {name: WHOLE[name] for name in ("before", "after", "gain", "verdict")}
    assert RunResult.model_validate(old).as_json() == old
    assert RunResult.model_validate(old).adapter.kind is None
    more = old | {"novelty": {"a": [1]}}
    assert RunResult.model_validate(more).as_json() == more


@pytest.mark.parametrize(
    "damage",
    [
        {"before": None},
        {"after": {"accuracy": 0.5, "interval": [0.4, 0.6]}},
        {"gain": {"points": float("nan"), "interval": [0, 1]}},
        {"gain": {"points": 1.0, "interval": [0, float("inf")]}},
        {"gain": {"points": "1.0", "interval": [0, 1]}},
        {"gain": {"points": True, "interval": [0, 1]}},
        {"gain": {"points": 1.0, "interval": [0]}},
        {"verdict": 3},
        {"seconds": {"total": "long"}},
        {"adapter": 3},
    ],
)
def test_a_damaged_result_is_refused(damage, tmp_path):
    with pytest.raises(ValidationError):
        RunResult.model_validate(WHOLE | damage)
    (tmp_path / "result.json").write_text(json.dumps(WHOLE | damage))
    with pytest.raises(FolderError, match=r"result\.json is not whole; run it again with --fresh"):
        read_result(tmp_path)


def test_a_loss_that_became_nan_is_still_a_result():
    training = WHOLE["training"] | {"last_loss": float("nan")}
    assert RunResult.model_validate(WHOLE | {"training": training}).training.last_loss != 0


@pytest.mark.parametrize(
    ("schema", "values"),
    [
        (RunResult, outcome()),
        (StoredEvaluation, evaluation(lambda step: "\\boxed{1}")),
        (ControlsResult, controls(3.0)),
    ],
)
def test_every_file_of_a_run_keeps_its_keys_and_numbers(schema, values):
    assert schema.model_validate(values).as_json() == values


def test_what_a_tier_expects_is_said_with_its_bounds():
    expected = {"accuracy": 0.85, "tokens_cut": 0.3, "gain_points": 45.0, "minutes": 5.0}
    assert expected_in_words(expected) == (
        "accuracy at least 0.85, at least 30% fewer tokens, the gain's interval above 45 points, at most 5 minutes"
    )
