"""What a stage has sampled is what the next ones train on, nearest stage first, and resumed it is the same."""

import json

import pytest
from sessions import context_of, said

from tinyreason.config.recipe import read_recipe
from tinyreason.errors import DataError, Stopped
from tinyreason.example import Example
from tinyreason.pipeline.carried import rows_of_samples, sampled_before
from tinyreason.pipeline.run import run
from tinyreason.runs.deadline import Deadline

SMALL = ("evaluation.problems=4", "evaluation.samples=1", "evaluation.template_check=false", "evaluation.batch_size=16")
GRPO = "{kind: grpo, max_steps: 1, rollouts_per_step: 48, group_size: 8, max_completion_tokens: 48, record_logp: true}"
CARRIED = "kind: rollouts, run: previous, name: sandbox, size: 6"
WORDS = (
    *("reasoning_sft", *SMALL, "expected=null", "train.max_steps=2", "train.batch_size=8", "train.loss=topr"),
    *("train.normalize=sequence", f"data={{{CARRIED}, transforms: [{{kind: signed}}]}}"),
    f"stages=[{{name: rlvr, data: {{kind: problems, name: sandbox, size: 6}}, train: {GRPO}, "
    "rewards: [{kind: correctness}], advantage: {kind: dr_grpo}}, "
    f"{{name: imitate, data: {{{CARRIED}, transforms: [{{kind: outcome, keep: correct}}]}}, train: {{loss: nll}}}}]",
)


def go(out, deadline=None):
    """(result or None, screen) of the run, begun or resumed."""
    config = read_recipe(WORDS[0]).resolve("sandbox", WORDS[1:])
    context = context_of(config, deadline)
    try:
        return run(config, out, context), said(context)
    except Stopped:
        return None, said(context)


def rows(file):
    return [json.loads(line) for line in file.open(encoding="utf-8")]


def test_rollouts_of_one_stage_are_trained_on_in_two_others_and_resumed_the_same(tmp_path):
    out, cut = tmp_path / "run", tmp_path / "cut"
    result, screen = go(out)
    assert result is not None and "completions that stage 1-rlvr sampled" in screen
    sampled = rows(out / "stages" / "1-rlvr" / "rollouts.jsonl")
    assert len(sampled) == 48 and all(row["mu_logp"] < 0 for row in sampled)
    correct = [row["completion"] for row in sampled if row["correct"] and not row["truncated"]]
    whole = [row for row in sampled if not row["truncated"] and row["completion"]]
    imitated, signed = rows(out / "stages" / "2-imitate" / "data.jsonl"), rows(out / "data.jsonl")
    assert [row["completion"] for row in imitated] == correct and 0 < len(correct) < len(whole)
    assert [row["weight"] for row in signed] == [1.0 if row["correct"] else -1.0 for row in whole]
    assert any("logp/negative" in row for row in rows(out / "metrics.jsonl"))
    assert go(cut, Deadline(last_step=1))[0] is None
    go(cut)
    same = "adapter/adapter_model.safetensors"
    assert (out / same).read_bytes() == (cut / same).read_bytes()


def test_the_nearest_stage_before_that_sampled_is_carried(tmp_path):
    for name in ("1-a/rollouts.jsonl", "2-b/metrics.jsonl", "3-c/samples.jsonl", "10-d/metrics.jsonl"):
        file = tmp_path / "stages" / name
        file.parent.mkdir(parents=True)
        file.touch()
    stages = tmp_path / "stages"
    assert sampled_before(tmp_path, stages / "3-c") == stages / "1-a"
    assert sampled_before(tmp_path, stages / "10-d") == sampled_before(tmp_path, tmp_path) == stages / "3-c"
    assert sampled_before(tmp_path, stages / "1-a") is None


def test_samples_of_self_training_are_joined_with_their_problems(tmp_path):
    sample = {"id": "a", "sample": 1, "text": "\\boxed{2}", "tokens": 4, "truncated": False, "correct": True}
    (tmp_path / "samples.jsonl").write_text(json.dumps(sample) + "\n")
    problem = Example("a", ({"role": "user", "content": "1+1?"},), "2", grader="choice")
    assert rows_of_samples(tmp_path, [problem]) == [
        {"sample": 1, "tokens": 4, "truncated": False, "correct": True, "problem_id": "a", "completion": "\\boxed{2}",
         "prompt": [{"role": "user", "content": "1+1?"}], "answer": "2", "grader": {"kind": "choice"}}
    ]  # fmt: skip
    with pytest.raises(DataError, match="give it the data of that stage"):
        rows_of_samples(tmp_path, [])
