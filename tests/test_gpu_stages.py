"""The stages of `make gpu`, tried without a card: each in a process of its own that may fail or take too long."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("gpu.py")


def take(out, *words):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--cpu", "--out", str(out), *words], capture_output=True, text=True, check=False
    )
    return done, json.loads(out.read_text())


@pytest.mark.slow
def test_a_recipe_and_two_steps_beside_their_plan_are_told_in_one_file(tmp_path):
    done, told = take(tmp_path / "gpu.json", "--only", "machine,weights,sft float16,8gb none")
    assert done.returncode == 0, done.stdout + done.stderr
    assert told["machine"]["result"]["card"] is None and told["machine"]["result"]["versions"]["torch"]
    assert told["sft float16"]["result"]["steps"] == 2
    step = told["8gb none"]["result"]
    assert step["measured_peak_bytes"] > 0 and step["recipe"] == "rlvr" and step["held_to_gb"] == 6.0
    assert "4 of 4 stages told something" in done.stdout


def test_a_stage_that_takes_too_long_is_ended_and_the_next_one_has_no_time(tmp_path):
    done, told = take(tmp_path / "gpu.json", "--only", "sft float16,machine", "--limit", "6")
    assert done.returncode == 1
    assert told["sft float16"]["failed"][0] == "took longer than 6 s"
    assert told["machine"]["failed"] == ["no time was left"]


def test_a_missing_card_is_never_a_success(tmp_path):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a card here")
    out = tmp_path / "gpu.json"
    done = subprocess.run([sys.executable, str(SCRIPT), "--out", str(out)], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "needs a CUDA card" in done.stdout and not out.exists()
