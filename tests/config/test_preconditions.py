"""What `check` and the start of a run refuse: options that TRL lacks, packages and files that are not there."""

import dataclasses
import importlib.util
import json
import subprocess
import sys

import pytest
from commands import tinyreason

from tinyreason.config import trl_options as module
from tinyreason.config.recipe import read_recipe
from tinyreason.config.trl_options import trl_options
from tinyreason.errors import ConfigError

MISTAKES = [
    ("rlvr", "trl.nonsense=1", "there is no option trl.nonsense"),
    (
        "rlvr",
        "trl.deepspeed=zero3.json",
        "trl.deepspeed spreads a model over processes, and each process holds",
    ),
    ("rlvr", "trl.fsdp=full_shard", "model.quantize=nf4 makes a base small; leave trl.fsdp out"),
    ("rlvr", "inference.server.url=here", "url=here is not an address; type one like http://localhost:8000"),
    ("rlvr", "trl.vllm_mod=server", "did you mean 'trl.vllm_mode'?"),
    ("reasoning_sft", "trl.use_vllm=true", "there is no option trl.use_vllm"),  # GRPO's alone
    ("rlvr", "trl.report_to=tensorbord", "did you mean 'tensorboard'?"),
    ("rlvr", "data.file=nope.jsonl", "there is no file nope.jsonl"),
    ("rlvr", "evaluation.data={kind: problems, file: nope.jsonl}", "there is no file nope.jsonl"),
    (
        "length_grpo",
        "warmup={data: {kind: solutions, file: nope.jsonl}, train: {max_steps: 1, max_tokens: 64, "
        "max_completion_tokens: 32}}",
        "there is no file nope.jsonl",
    ),
]
if not importlib.util.find_spec("vllm"):
    MISTAKES.append(("rlvr", "trl.use_vllm=true", "trl.use_vllm=true needs vllm"))
if not importlib.util.find_spec("wandb"):
    MISTAKES.append(("rlvr", "trl.report_to=wandb", "type: pip install wandb"))


@pytest.mark.parametrize(("recipe", "override", "words"), MISTAKES)
@pytest.mark.parametrize("command", ["check", "recipe"])
def test_a_mistake_is_one_sentence_of_check_and_of_the_start_of_a_run(tmp_path, command, recipe, override, words):
    more = ["--on", "sandbox", "--out", str(tmp_path / "run")] if command == "recipe" else []
    done = tinyreason(command, recipe, override, *more)
    assert done.exit_code == 2 and words in done.stderr, done.output
    assert done.stderr.count("\n") == 1 and not done.stdout
    assert not (tmp_path / "run").exists()


SERVED = {
    "adapter.kind=miss": "takes plain LoRA adapters, and a miss with these options is none",
    "adapter.dora=true": "takes plain LoRA adapters, and a lora with these options is none",
    "processes=2": "samples for one process; leave out processes=2",
    "trl.top_p=0.9": "by log-probabilities of a part of the distribution; leave trl.top_p out",
    "trl.use_vllm=true": "samples in TRL's place; leave out what has TRL sample itself",
    "train.rollout_dtype=bfloat16": "the server's number format; leave train.rollout_dtype out",
    "rollouts={kind: multi_attempt}": "does not go with rollouts.kind=multi_attempt",
}


@pytest.mark.parametrize("override", SERVED)
def test_what_a_server_cannot_sample_is_said(override):
    with pytest.raises(ConfigError) as error:
        read_recipe("rlvr").resolve("sandbox", ("inference.engine=vllm_server", override))
    assert SERVED[override] in str(error.value)


def test_check_reads_the_data_file(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"problem": "1+1?", "answer": "2"}) + "\n{\n")
    done = tinyreason("check", "rlvr", f"data.file={file}")
    assert done.exit_code == 2 and "line 2 is not valid JSON" in done.stderr


def test_checking_options_of_trl_imports_neither_trl_nor_torch():
    code = """
import sys
from tinyreason.cli.main import main
try:
    main(["check", "rlvr", "trl.temperature=1", "trl.top_k=5"])
except SystemExit as end:
    print(end.code, *sys.modules.keys() & {"torch", "trl", "transformers"})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "2" and "train.temperature" in done.stderr
    done = subprocess.run(
        [sys.executable, "-c", code.replace('"trl.temperature=1", ', "")], capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-1] == "0", done.stderr


@pytest.mark.parametrize("trainer", ["grpo", "sft"])
def test_the_options_that_are_read_are_those_that_trl_has(trainer):
    import trl

    config = {"grpo": trl.GRPOConfig, "sft": trl.SFTConfig}[trainer]
    assert trl_options(trainer) == {field.name for field in dataclasses.fields(config) if field.init}


def test_a_release_of_trl_with_another_layout_is_left_to_trl(monkeypatch):
    monkeypatch.setattr(module, "FILES", (("trl", "elsewhere.py"),))
    trl_options.cache_clear()
    try:
        assert trl_options("grpo") is None
        read_recipe("rlvr").resolve("sandbox", ("trl.nonsense=1",))
    finally:
        trl_options.cache_clear()
        monkeypatch.undo()
    with pytest.raises(ConfigError, match=r"trl\.nonsense"):
        read_recipe("rlvr").resolve("sandbox", ("trl.nonsense=1",))
