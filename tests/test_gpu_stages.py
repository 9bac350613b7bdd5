"""The stages of `make gpu`, tried without a card: each in a process of its own that may fail or take too long."""

import importlib.util
import json
import subprocess
import sys
import time
import types
from functools import partial
from pathlib import Path

import pytest
import stage_process
from stage_process import take, tell, timing

SCRIPT = Path(__file__).with_name("gpu.py")


@pytest.mark.slow
@pytest.mark.stress
def test_recipes_and_two_steps_beside_their_plan_are_told_in_one_file(tmp_path):
    out = tmp_path / "gpu.json"
    names = "machine,weights,sft float16,rlvr bfloat16,t4 none,tests,killed,resumed"
    words = [sys.executable, str(SCRIPT), "--cpu", "--out", str(out), "--only", names]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = {name: found["result"] for name, found in json.loads(out.read_text()).items()}
    assert told["imports"]["not_imported"] == {} and not told["imports"]["cuda_was_begun"]
    assert told["machine"]["card"] is None and told["machine"]["versions"]["torch"]
    for name in ("sft float16", "rlvr bfloat16"):
        assert told[name]["steps"] == len(told[name]["step_s"]) == 4 and len(told[name]["load_s"]) == 1
        assert min(told[name]["step_s"][2:]) <= told[name]["seconds_a_step"] <= max(told[name]["step_s"][2:])
        assert {"measuring the baseline", "evaluating the adapter"} <= set(told[name]["phases_s"])
    assert len(told["rlvr bfloat16"]["rollout_s"]) == 4
    step = told["t4 none"]
    assert step["measured_peak_bytes"] > 0 and step["recipe"] == "rlvr" and step["held_to_gb"] == 15.0
    whole = step["whole_rows"]
    assert whole["row_tokens"] - step["row_tokens"] == 128 - 64  # of the tier, and of the steps that are timed
    assert whole["measured_peak_bytes"] > 0 and whole["phase"] in ("score", "backward")
    assert all("skipped" in said for said in told["tests"]["tests"].values())
    assert told["killed"]["killed_after_step"] < 5 == told["resumed"]["steps"] and told["resumed"]["in_order"]
    assert "9 of 9 stages told something" in done.stdout


def wait_for_ever(work):
    subprocess.Popen(["setsid", "sleep", "15"])
    tell(work, step_s=[1.5], phases={"load": 2})
    tell(work, step_s=[1.25], phases={"train": 3}, at="step 2")
    print("begun", flush=True)
    time.sleep(15)


def test_a_stage_that_takes_too_long_leaves_what_it_told_and_where_it_stood(tmp_path):
    told = take(tmp_path, partial(wait_for_ever, tmp_path), 1.0)
    assert told["failed"] == ["took longer than 1 s", "begun"] and told["seconds"] < 10  # whatever it has left behind
    assert told["partial"] == {"step_s": [1.5, 1.25], "phases": {"load": 2, "train": 3}, "at": "step 2"}
    assert "wait_for_ever" in told["stack"][0] and len(told["stack"]) == stage_process.STACK_LINES


def test_a_stage_that_ends_tells_all_and_one_that_fails_why(tmp_path):
    told = take(tmp_path, partial(tell, tmp_path, steps=2, at="the end"), 20)
    assert told["result"] == {"steps": 2}

    def fail():
        tell(tmp_path, steps=1)
        raise ValueError("a sentence")

    told = take(tmp_path, fail, 20)
    assert told["failed"][0] == "ended with 1" and told["failed"][-1] == "ValueError: a sentence"
    assert told["partial"] == {"steps": 1} and told["stack"] == []


def test_a_stage_that_is_to_be_killed_is_killed_in_time_or_fails(tmp_path):
    def is_begun():
        return {"killed": True} if (tmp_path / "begun").exists() else None

    def begin(seconds):
        time.sleep(0.2)
        (tmp_path / "begun").touch()
        time.sleep(seconds)
        tell(tmp_path, survived=True)

    told = take(tmp_path, partial(begin, 15), 20, is_begun)
    assert told["result"] == {"killed": True} and told["seconds"] < 10
    (tmp_path / "begun").unlink()
    assert take(tmp_path, bool, 20, is_begun)["failed"] == ["ended with 0"]


def test_half_a_line_of_facts_costs_only_itself(tmp_path):
    tell(tmp_path, steps=3)
    with (tmp_path / stage_process.FACTS).open("a") as file:
        file.write('{"steps": 4, "ste')
    assert stage_process.told_in(tmp_path) == {"steps": 3}


def test_each_call_is_timed_also_one_that_fails(tmp_path):
    class Work:
        def do(self, seconds):
            time.sleep(seconds)
            return 1 / seconds

    with timing(tmp_path, do_s=(Work, "do")):
        assert Work().do(0.1) == 10
        with pytest.raises(ZeroDivisionError):
            Work().do(0)
    first, second = stage_process.told_in(tmp_path)["do_s"]
    assert 0.1 <= first < 5 and second < first


def test_torch_says_which_capability_a_card_has_without_beginning_cuda(monkeypatch):
    import torch

    nvml = types.ModuleType("pynvml")
    nvml.nvmlInit, nvml.nvmlDeviceGetCount, nvml.nvmlDeviceGetHandleByIndex = bool, lambda: 2, int
    nvml.nvmlDeviceGetCudaComputeCapability = lambda number: [(7, 5), (9, 0)][number]
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    theirs = torch.cuda.get_device_capability
    with stage_process.asking_nvml():
        assert torch.cuda.get_device_capability() == (7, 5)
        assert torch.cuda.get_device_capability(1) == (9, 0)
        assert torch.cuda.get_device_capability(torch.cuda.device(1)) == (9, 0)  # as bitsandbytes asks
        assert torch.cuda.get_device_capability(torch.device("cuda", 1)) == (9, 0)
    assert torch.cuda.get_device_capability is theirs and not torch.cuda.is_initialized()


def script():
    """tests/gpu.py as a module."""
    place = importlib.util.spec_from_file_location("gpu_script", SCRIPT)
    module = importlib.util.module_from_spec(place)
    sys.modules["gpu_script"] = module  # which dataclasses look up
    place.loader.exec_module(module)
    return module


def test_a_stage_is_taken_by_a_new_process_where_cuda_does_not_begin_in_a_fork(tmp_path, monkeypatch):
    stages, program = script(), tmp_path / "python"
    program.write_text('#!/bin/sh\necho "$@"\nexit 3\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(stages, "card_answers", lambda: False)
    bench = stages.Bench(tmp_path, tmp_path / "weights", on_cpu=False)
    asked = f"{SCRIPT} --work {tmp_path} --weights {tmp_path / 'weights'} --limit 7.5 --stage engines"
    assert take(tmp_path, partial(stages.begin, bench, "engines", 7.5), 20)["failed"] == ["ended with 3", asked]
    monkeypatch.setattr(stages, "card_answers", lambda: time.sleep(15))  # as where it hangs
    bench = stages.replace(bench, is_forking=False)
    assert take(tmp_path, partial(stages.begin, bench, "engines", 7.5), 20)["failed"] == ["ended with 3", asked]


def test_where_a_test_marked_gpu_fails_its_stage_does(tmp_path):
    stages, file = script(), tmp_path / "test_two.py"
    file.write_text(
        "import pytest\npytestmark = pytest.mark.gpu\ndef test_good(): pass\ndef test_bad(): assert 1 == 2\n"
    )
    bench = stages.Bench(tmp_path, tmp_path, on_cpu=True)
    told = take(tmp_path, partial(stages.gpu_tests, bench, file), 60)
    assert told["failed"][0] == "ended with 1" and told["failed"][-1] == "SystemExit: the tests ended with 1"
    outcomes = {name: said.split(",")[0] for name, said in told["partial"]["tests"].items()}
    assert outcomes == {"test_good (call)": "passed", "test_bad (call)": "failed"}
    assert told["partial"]["at"].endswith("test_bad")
    ((name, why),) = told["partial"]["why"].items()
    assert name == "test_bad" and "assert 1 == 2" in "".join(why)


def test_two_steps_are_taken_beside_their_plan_and_a_profile_says_where_the_time_goes(tmp_path):
    stages = script()
    bench = stages.Bench(tmp_path, tmp_path, on_cpu=True)
    told = stages.STAGES["t4 none"].work(bench)
    assert told["measured_peak_bytes"] > 0 and stage_process.told_in(tmp_path)["whole_rows"]["measured_peak_bytes"] > 0
    told = stages.STAGES["profile"].work(bench)
    assert len(told["functions"]) == stages.FUNCTIONS and "rollouts.py" in "".join(told["functions"])


def test_the_next_stage_has_no_time_where_the_whole_has_none(tmp_path, monkeypatch, capsys):
    stages, out = script(), tmp_path / "gpu.json"
    slow = stages.Stage(lambda bench: time.sleep(15) or {}, 1)
    monkeypatch.setattr(stages, "STAGES", {"quick": stages.Stage(lambda bench: {"steps": 1}, 9), "slow": slow})
    monkeypatch.setattr(stages, "import_all", lambda: {"result": {}})
    monkeypatch.setattr(stages, "make_ready", lambda: None)
    monkeypatch.setattr(sys, "path", [*sys.path])
    words = ["gpu.py", "--cpu", "--out", str(out), "--limit", "6", "--only", "quick,slow,quick"]
    monkeypatch.setattr(sys, "argv", words)
    monkeypatch.setattr(stages, "missing_packages", lambda: [])
    assert stages.main() is True
    told = json.loads(out.read_text())
    assert told["slow"]["failed"] == ["took longer than 1 s"] and told["quick"]["failed"] == ["no time was left"]
    assert "1 of 3 stages told something to the end" in capsys.readouterr().out


def test_a_package_that_is_missing_is_found_by_its_name(monkeypatch):
    stages = script()
    assert stages.missing_packages() == []
    known = [found for found in stages.metadata.distributions() if found.name.lower() not in ("rapidfuzz", "tornado")]
    monkeypatch.setattr(stages.metadata, "distributions", lambda: known)
    assert stages.missing_packages() == ["rapidfuzz", "tornado"]


def test_a_missing_card_is_never_a_success(tmp_path):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a card here")
    out = tmp_path / "gpu.json"
    done = subprocess.run([sys.executable, str(SCRIPT), "--out", str(out)], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "needs a CUDA card" in done.stdout and not out.exists()
