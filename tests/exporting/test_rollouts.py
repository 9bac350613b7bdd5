"""`rollouts export` writes what others can train on, says what it leaves out, and gives no path away."""

import json

import pytest
from commands import tinyreason
from datasets import load_dataset
from trl import SFTConfig, SFTTrainer

from tinyreason.data.rollouts import Rollouts
from tinyreason.errors import DataError
from tinyreason.exporting.rollouts import export_rollouts


def rollout(number, correct, **more):
    known = {"step": 1, "group": 0, "problem_id": f"/home/me/data.jsonl#{number % 2}", "prompt": f"{number % 2}+1?"}
    told = {"tokens": 9, "truncated": False, "correct": correct, "reward": float(correct), "answer": "2"}
    own = {"rewards": {"/home/me/my_reward.py:reward": 1.0}, "advantage": 0.5, "completion": f"\\boxed{{{number}}}"}
    return known | told | own | more


@pytest.fixture
def run(tmp_path):
    rows = [rollout(0, True, mu_logp=-2.5), rollout(1, False), rollout(2, True)]
    text = "".join(json.dumps(row) + "\n" for row in rows) + '{"torn'
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "rollouts.jsonl").write_text(text)
    return tmp_path / "run"


def read(file):
    return [json.loads(line) for line in file.open()]


def test_the_command_writes_the_rows_and_says_what_it_leaves_out(run, tmp_path):
    out = tmp_path / "given.jsonl"
    done = tinyreason("rollouts", "export", run, "--out", out, "--correct")
    assert done.exit_code == 0, done.stderr
    assert (
        "2 completions to 1 problems, 100.0% correct; left out 1 lines that cannot be read, 1 not correct"
        in done.stdout
    )
    assert read(out)[0] == {
        "prompt": "0+1?", "completion": "\\boxed{0}", "correct": True, "reward": 1.0, "tokens": 9, "truncated": False,
        "step": 1, "mu_logp": -2.5, "answer": "2", "problem_id": "data.jsonl#0",
    }  # fmt: skip
    assert "/home" not in out.read_text() and "my_reward" not in out.read_text()
    again = tinyreason("rollouts", "export", run, "--out", out)
    assert again.exit_code == 2 and "is not overwritten" in again.stderr


@pytest.mark.parametrize("form", ["completions", "messages"])
def test_what_is_written_is_read_here_and_by_trl(run, tmp_path, form, sandbox):
    out = tmp_path / "given.jsonl"
    found = export_rollouts(run, out, form, only_correct=False)
    assert (found["rows"], found["correct"]) == (3, 2)
    here = Rollouts(file=out).load()
    assert [one.completion for one in here] == ["\\boxed{0}", "\\boxed{1}", "\\boxed{2}"]
    assert [one.meta["correct"] for one in here] == [True, False, True]
    model, tokenizer = sandbox[0], sandbox[1]
    rows = load_dataset("json", data_files=str(out), split="train", cache_dir=str(tmp_path / "cache"))
    arguments = SFTConfig(output_dir=str(tmp_path), max_steps=1, report_to="none", use_cpu=True, bf16=False)
    trainer = SFTTrainer(model, args=arguments, train_dataset=rows, processing_class=tokenizer)
    assert len(trainer.train_dataset) == 3 and "input_ids" in trainer.train_dataset.column_names


def test_conversations_want_messages_and_no_correct_rows_are_told(run, tmp_path):
    turns = [{"role": "system", "content": "Sum."}, {"role": "user", "content": "1+1?"}]
    (run / "rollouts.jsonl").write_text(json.dumps(rollout(1, False, messages=turns)))
    with pytest.raises(DataError, match="type --format messages"):
        export_rollouts(run, tmp_path / "a.jsonl", "completions", only_correct=False)
    with pytest.raises(DataError, match="leave --correct out"):
        export_rollouts(run, tmp_path / "a.jsonl", "messages", only_correct=True)
    export_rollouts(run, tmp_path / "a.jsonl", "messages", only_correct=False)
    assert [turn["role"] for turn in read(tmp_path / "a.jsonl")[0]["messages"]] == ["system", "user", "assistant"]
