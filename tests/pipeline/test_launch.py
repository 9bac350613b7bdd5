"""The other processes of a run: their cards, how they end, and that what one of them dies of loses nothing."""

import json
import os
import re
import subprocess
import sys
import time

import fake_driver
import psutil
import pytest
from kills import digest

from tinyreason.cli.options import with_processes
from tinyreason.cli.train import shared_by_cards
from tinyreason.config.processes import check_launcher
from tinyreason.config.recipe import read_recipe
from tinyreason.errors import ConfigError, Stopped
from tinyreason.models.hardware import cards_for, take_card
from tinyreason.pipeline import launch

RUN = (
    *("rlvr", "train.max_steps=4", "train.rollouts_per_step=16", "train.group_size=4", "evaluation.problems=4"),
    *("train.max_completion_tokens=48", "evaluation.samples=1", "validation.problems=8", "validation.every_steps=2"),
    *("train.micro_batch_size=8", "checkpoints.every_steps=1"),
)


def test_each_process_has_a_card_of_its_own_of_the_same_kind(tmp_path, monkeypatch):
    fake_driver.install(tmp_path, monkeypatch, "T4", "A100", "A100")
    card = take_card()
    assert cards_for(2, card, "processes=")[1:] == [fake_driver.uuid(2)]
    environment = launch._environment(1, 2, 1234, str(tmp_path), cards_for(2, card, "processes=")[1:])
    assert environment["CUDA_VISIBLE_DEVICES"] == fake_driver.uuid(2) != os.environ["CUDA_VISIBLE_DEVICES"]
    with pytest.raises(ConfigError, match=r"need 3 cards of one kind, and 2 NVIDIA A100.* type processes=2"):
        cards_for(3, card, "processes=")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert take_card(2).name == "Tesla T4"  # where torchrun has started this process as number 2


def test_auto_takes_all_cards_of_one_kind_where_the_run_can_be_shared(tmp_path, monkeypatch, capsys):
    fake_driver.install(tmp_path, monkeypatch, "T4", "A100", "T4")
    assert with_processes((), "auto") == ("processes=1",)  # one A100 is there
    fake_driver.install(tmp_path, monkeypatch, "T4", "T4")
    assert with_processes(("a=1",), "auto") == ("a=1", "processes=2")
    card, recipe = take_card(), read_recipe("one_shot_rlvr")
    assert shared_by_cards(recipe, "t4", ("seed=1",), card, None, []) == ("seed=1", "processes=2")
    assert shared_by_cards(recipe, "sandbox", (), card, None, []) == ()
    served = ("inference.engine=vllm_server",)
    assert shared_by_cards(recipe, "t4", served, card, None, []) == served
    assert "one process: " in capsys.readouterr().out
    with pytest.raises(ConfigError, match=r"there is no option trl\.nonsense"):
        shared_by_cards(recipe, "t4", ("trl.nonsense=1",), card, None, [])
    (tmp_path / "config.yaml").write_text("{recipe: a, tier: t4, trainer: grpo, processes: 3}")
    assert shared_by_cards(recipe, "t4", (), card, tmp_path, []) == ("processes=3",)  # as it was begun


LAUNCHES = {
    "asks for FSDP, which spreads a model over processes": {"ACCELERATE_USE_FSDP": "true"},
    "asks for DeepSpeed": {"ACCELERATE_USE_DEEPSPEED": "true"},
    "accelerate's config has mixed_precision: bf16": {"ACCELERATE_MIXED_PRECISION": "bf16"},
    "accelerate's config has dynamo_backend: INDUCTOR": {"ACCELERATE_DYNAMO_BACKEND": "INDUCTOR"},
    "4 processes were launched on several machines": {"WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"},
}


@pytest.mark.parametrize("sentence", LAUNCHES)
def test_a_launch_that_would_change_how_a_run_computes_is_refused(sentence):
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        check_launcher(LAUNCHES[sentence])
    plain = {"ACCELERATE_USE_CPU": "True", "ACCELERATE_MIXED_PRECISION": "no", "ACCELERATE_DYNAMO_BACKEND": "NO"}
    check_launcher(plain | {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "ACCELERATE_USE_FSDP": "false"})


def test_a_process_that_does_not_start_is_said(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(Stopped, match="process 2 of 2 ended with 1, and the run with it"), launch.started(2, None):
        raise AssertionError("nobody was met")


def start(out, *more: str) -> subprocess.Popen:
    words = [sys.executable, "-m", "tinyreason", "recipe", *RUN, "--on", "sandbox", "--seed", "3", *more]
    return subprocess.Popen([*words, "--out", str(out)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for(file) -> None:
    until = time.monotonic() + 200
    while not file.exists():
        assert time.monotonic() < until, file
        time.sleep(0.1)


def helper_of(process: subprocess.Popen) -> psutil.Process:
    return next(one for one in psutil.Process(process.pid).children() if launch.__name__ in one.cmdline())


@pytest.mark.stress
def test_killed_in_either_process_a_run_ends_whole_and_resumes_to_the_same_bits(tmp_path):
    for words, name in (((), "one"), (("--processes", "2"), "two")):
        process = start(tmp_path / name, *words)
        said, _ = process.communicate()
        assert process.returncode == 0, said
    one, two = (digest(tmp_path / name) for name in ("one", "two"))
    assert one["rollouts"] == two["rollouts"]
    results = [json.loads((tmp_path / name / "result.json").read_text()) for name in ("one", "two")]
    assert results[0]["before"] == results[1]["before"]
    out = tmp_path / "killed"
    process = start(out, "--processes", "2")
    wait_for(out / "checkpoints" / "step-000001")
    helper_of(process).kill()
    said, _ = process.communicate()
    assert process.returncode == 3 and "process 2 of 2 ended by signal 9, and the run with it" in said
    assert re.search(r"to resume, type: tinyreason recipe rlvr .*processes=2", said)
    process = start(out, "--processes", "2")
    wait_for(out / "checkpoints" / "step-000003")
    helper = helper_of(process)
    process.kill()
    process.wait()
    helper.wait(timeout=60)
    refused = start(out)
    assert "processes is 2 there and 1 here" in refused.communicate()[0] and refused.returncode == 2
    process = start(out, "--processes", "2")
    said, _ = process.communicate()
    assert process.returncode == 0, said
    assert digest(out) == two
