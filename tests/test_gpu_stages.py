"""The stages of `make gpu`, tried without a card: each in a process of its own that may fail or take too long."""

import importlib.util
import json
import subprocess
import sys
import types
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("gpu.py")


def take(out, *words):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--cpu", "--out", str(out), *words], capture_output=True, text=True, check=False
    )
    return done, json.loads(out.read_text())


@pytest.mark.slow
@pytest.mark.stress
def test_a_recipe_and_two_steps_beside_their_plan_are_told_in_one_file(tmp_path):
    done, told = take(tmp_path / "gpu.json", "--only", "machine,weights,sft float16,8gb none")
    assert done.returncode == 0, done.stdout + done.stderr
    assert told["machine"]["result"]["card"] is None and told["machine"]["result"]["versions"]["torch"]
    assert told["sft float16"]["result"]["steps"] == 2
    step = told["8gb none"]["result"]
    assert step["measured_peak_bytes"] > 0 and step["recipe"] == "rlvr" and step["held_to_gb"] == 6.0
    whole = step["whole_rows"]
    assert whole["row_tokens"] - step["row_tokens"] == 128 - 64  # of the tier, and of the steps that are timed
    assert whole["measured_peak_bytes"] > 0 and whole["phase"] in ("score", "backward")
    assert "4 of 4 stages told something" in done.stdout


def test_a_stage_that_takes_too_long_is_ended_and_the_next_one_has_no_time(tmp_path):
    done, told = take(tmp_path / "gpu.json", "--only", "sft float16,machine", "--limit", "6")
    assert done.returncode == 1
    assert told["sft float16"]["failed"][0] == "took longer than 6 s"
    assert told["machine"]["failed"] == ["no time was left"]


def test_a_stage_is_ended_in_time_whatever_it_has_left_behind(tmp_path, monkeypatch):
    program = tmp_path / "stage"
    program.write_text("#!/bin/sh\nsetsid sleep 15 &\necho begun\nsleep 15\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    stages = script()
    told = stages.take(stages.Bench(tmp_path, tmp_path, on_cpu=True), "machine", 0.5)
    assert told["failed"] == ["took longer than 0 s", "begun"] and told["seconds"] < 10


def test_where_a_test_marked_gpu_fails_its_stage_does(monkeypatch):
    stages, failed = script(), types.SimpleNamespace(returncode=1, stdout="1 failed", stderr="")
    monkeypatch.setattr(stages.subprocess, "run", lambda *words, **options: failed)
    with pytest.raises(SystemExit, match="1 failed"):
        stages.gpu_tests(None)


def script():
    """tests/gpu.py as a module."""
    place = importlib.util.spec_from_file_location("gpu_script", SCRIPT)
    module = importlib.util.module_from_spec(place)
    sys.modules["gpu_script"] = module  # which dataclasses look up
    place.loader.exec_module(module)
    return module


def test_a_missing_card_is_never_a_success(tmp_path):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a card here")
    out = tmp_path / "gpu.json"
    done = subprocess.run([sys.executable, str(SCRIPT), "--out", str(out)], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "needs a CUDA card" in done.stdout and not out.exists()
