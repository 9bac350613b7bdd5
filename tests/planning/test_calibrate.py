"""A card's times fitted to steps that it took: what was measured is found again, and later plans use it."""

import json
from dataclasses import replace

import pytest
from commands import tinyreason

from tinyreason.planning import gpus
from tinyreason.planning.calibrate import TimedStep, calibrate, card_of, job_of
from tinyreason.planning.known_models import KNOWN
from tinyreason.planning.model_shape import Shape
from tinyreason.planning.step_time import speed_of, step_seconds

H100 = {"name": "NVIDIA H100 80GB HBM3", "memory_gb": 79.6, "capability": [9, 0]}
WORKLOADS = (
    ("t4", "train.max_completion_tokens=64"),
    ("t4", "train.max_completion_tokens=1024", "train.rollouts_per_step=128"),
    ("24gb", "train.max_completion_tokens=64", "train.rollouts_per_step=64"),
    ("t4", "train.max_completion_tokens=64", "model.quantize=nf4"),
)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def measured(tmp_path):
    """Writes a gpu.json as a card with these two figures would have left it."""

    def write(reached, launch_us, noise=1.0):
        stages = {"machine": {"result": {"card": H100}}, "tests": {"failed": ["took longer than 120 s"]}}
        shape = vars(Shape(*KNOWN["Qwen/Qwen2.5-Math-1.5B"]))
        for number, (tier, *overrides) in enumerate(WORKLOADS):
            step = {"recipe": "rlvr", "tier": tier, "overrides": overrides, "shape": shape, "card": H100}
            step |= {"prompt_tokens": 200, "measured_seconds_a_step": 1.0}
            timed = TimedStep.model_validate(step)
            card = card_of(timed)
            sheet = replace(gpus.datasheet_of(card), reached=reached, launch_us=launch_us)
            seconds = step_seconds(job_of(timed, card, sheet), speed_of(job_of(timed, card, sheet), sheet))
            step["measured_seconds_a_step"] = seconds * (noise if number % 2 else 1 / noise)
            stages[f"step {number}"] = {"result": step}
        file = tmp_path / "gpu.json"
        file.write_text(json.dumps(stages))
        return file

    return write


@pytest.mark.parametrize(("reached", "launch_us"), [(0.1, 5.0), (0.6, 40.0)])
def test_the_figures_of_a_card_are_found_again_from_its_steps(measured, reached, launch_us):
    found = calibrate(measured(reached, launch_us))
    assert found.sheet.launch_us == pytest.approx(launch_us, rel=0.15)
    assert found.steps == len(WORKLOADS) and found.worst_after < 1.1 < found.worst_before


def test_steps_that_contradict_each_other_are_met_in_the_middle(measured):
    found = calibrate(measured(0.3, 10.0, noise=1.2))
    assert 1.1 < found.worst_after < 1.35


def test_a_plan_for_that_card_uses_what_was_found_and_says_so(measured):
    words = ("plan", "rlvr", "--on", "80gb", "--gpu")
    before, other = tinyreason(*words, "h100").output, tinyreason(*words, "a100").output
    assert "not measured on this card" in before
    said = tinyreason("plan", "--calibrate", measured(0.6, 40.0))
    assert said.exit_code == 0 and "H100 80GB: 4 steps" in said.output and "off by a factor of" in said.output
    after = tinyreason(*words, "h100").output
    assert after != before and "fitted to other steps of such a card" in after
    assert tinyreason(*words, "a100").output == other


@pytest.mark.parametrize(
    ("text", "named"),
    [("{}", "holds no step that a card took"), ('{"t4 none": {"result": {"tier": "t4"}}}', "holds no step")],
)
def test_a_file_without_steps_is_one_sentence(tmp_path, text, named):
    file = tmp_path / "gpu.json"
    file.write_text(text)
    done = tinyreason("plan", "--calibrate", file)
    assert done.exit_code == 2 and named in done.stderr and len(done.stderr.splitlines()) == 1
    assert tinyreason("plan", "--calibrate", tmp_path / "none.json").exit_code == 2


def test_plan_without_a_recipe_says_what_to_type():
    done = tinyreason("plan")
    assert done.exit_code == 2 and "tinyreason plan rlvr" in done.stderr
