"""A run that was interrupted ends as it would have ended, and only the same run is resumed."""

import json

import pytest
from sessions import context_of, said
from synthetic_run import outcome

from tinyreason.config.model import Model
from tinyreason.config.recipe import read_recipe
from tinyreason.errors import FolderError, ResumeError, Stopped
from tinyreason.models.load import base_sha256
from tinyreason.pipeline.run import run
from tinyreason.pipeline.verify_resume import verify_resume
from tinyreason.runs.deadline import Deadline
from tinyreason.runs.folder import open_run
from tinyreason.runs.resume import open_or_resume

EVALUATION = ("evaluation.problems=4", "evaluation.samples=1")
GRPO = (*EVALUATION, "train.max_steps=5", "train.rollouts_per_step=16", "train.max_completion_tokens=32")
KINDS = {
    "sft over three epochs": (
        *("reasoning_sft", *EVALUATION, "data.size=12", "train.max_steps=5", "train.batch_size=4"),
        *("validation.problems=4", "validation.every_steps=2", "adapter.dropout=0.1"),
    ),
    "sft in micro-batches, weighted rows": (
        *("one_shot_cft", *EVALUATION, "train.max_steps=4", "train.batch_size=4", "train.micro_batch_size=2"),
        *("critiques.attempts=24", "critiques.attempts_by=[oracle]"),
    ),
    "one problem": ("one_shot_rlvr", *GRPO, "validation.problems=4", "validation.every_steps=1"),
    "many problems, over two epochs": (
        *("rlvr", *GRPO, "data.size=6", "validation=null", "train.group_size=8", "train.micro_batch_size=8"),
    ),
    "rollouts trained on several times, an average that follows": (
        *("one_shot_rlvr", *GRPO, "validation=null", "train.micro_batch_size=8", "trl.num_iterations=3"),
        *("train.reposition=0.8", "train.kl=0.01", "train.reference_update_rate=0.1"),
    ),
    "rewards with histories, after a warm-up": (  # without either the adapter ends another
        *("length_grpo", *GRPO, "rewards=[{kind: hapo_length}, {kind: laser_d, refresh_steps: 2}]", "data.size=2"),
        *("train.max_completion_tokens=48", "warmup.data.size=8", "warmup.train.max_steps=2"),
        "warmup.train.batch_size=4",
    ),
    "samplers that learn, choose, keep and heat": (
        *("rlvr", *GRPO, "data.size=6", "validation=null", "train.group_size=4", "train.oversample=1.5"),
        "samplers=[{kind: greso_skip}, {kind: dynamic_sampling}, {kind: entropy_temperature}]",
    ),
    "a student taught by what a stage left": (
        *("distill", *GRPO, "train.micro_batch_size=8", "stages.0.measure=false", "stages.0.train.max_steps=1"),
        *("stages.0.train.rollouts_per_step=16", "stages.0.train.max_completion_tokens=32"),
    ),
    "an adapter of R alone, on 4 bits": (
        *("rlvr", *GRPO, "adapter.kind=lora_xs", "model.quantize=nf4", "validation=null"),
    ),
}


def go(out, recipe: str, *overrides: str, deadline: Deadline | None = None, fresh: bool = False) -> tuple[dict, str]:
    """(result, what was on the screen) of a run, begun or resumed."""
    config = read_recipe(recipe).resolve("sandbox", overrides)
    context = context_of(config, deadline)
    try:
        return run(config, out, context, fresh), said(context)
    except Stopped as stopped:
        return {"stopped": str(stopped)}, said(context)


def verified(out, recipe: str, *overrides: str) -> str:
    config = read_recipe(recipe).resolve("sandbox", overrides)
    return verify_resume(config, out, context_of(config))


def adapter(out) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (out / "adapter").glob("*.safetensors")}


def rows(out, name: str) -> list[dict]:
    lines = (out / name).open() if (out / name).exists() else []
    return [untimed(json.loads(line)) for line in lines]


def untimed(values: dict) -> dict:
    """Less what measures time."""
    return {name: value for name, value in values.items() if "time" not in name}


REPEATED = ("one problem", "sft over three epochs", "sft in micro-batches, weighted rows")
"""Kinds of which the others, or the test of budgets, have each part."""


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.stress) if kind in REPEATED else kind for kind in KINDS]
)
def test_a_run_interrupted_twice_ends_bit_for_bit_as_one_that_was_not(tmp_path, kind):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    result, _ = go(whole, *KINDS[kind])
    for step in (1, 3):
        stopped, _ = go(cut, *KINDS[kind], deadline=Deadline(last_step=step))
        assert f"after step {step}" in stopped["stopped"]
        assert not (cut / "result.json").exists()
    resumed, console = go(cut, *KINDS[kind])
    assert "resuming after step 3" in console and "the baseline was measured before" in console
    assert adapter(whole) == adapter(cut)
    for name in ("metrics.jsonl", "rollouts.jsonl"):
        assert rows(whole, name) == rows(cut, name)
    assert (whole / "evaluation.json").read_bytes() == (cut / "evaluation.json").read_bytes()
    same = ("before", "after", "gain", "training")
    assert [untimed(result.as_json()[name]) for name in same] == [untimed(resumed.as_json()[name]) for name in same]
    assert "taken again: the same bit for bit" in verified(cut, *KINDS[kind])


# What is refused


def begun(out, *overrides: str):
    """(config, context) of a run that has only just been opened in `out`."""
    config = read_recipe("one_shot_rlvr").resolve("sandbox", (*GRPO, *overrides))
    context = context_of(config)
    open_run(out, config, context)
    return config, context


def refusal(out, *overrides: str) -> str:
    with pytest.raises(ResumeError) as caught:
        go(out, "one_shot_rlvr", *GRPO, *overrides)
    message = str(caught.value)
    assert "\n" not in message and "--fresh" in message and str(out) in message
    return message


def test_another_config_is_refused_and_what_differs_is_shown(tmp_path):
    begun(tmp_path / "run")
    before = sorted(path.name for path in (tmp_path / "run").iterdir())
    message = refusal(tmp_path / "run", "train.max_steps=7", "adapter.rank=2")
    assert "train.max_steps is 5 there and 7 here" in message
    assert "adapter.rank is 1 there and 2 here" in message
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == before


def test_what_a_recipe_says_of_itself_may_change(tmp_path):
    config, context = begun(tmp_path / "run")
    open_or_resume(tmp_path / "run", config.model_copy(update={"measured": "twice", "about": "x"}), context)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda known: known["versions"].update(torch="2.0.0"), 'torch is "2.0.0" there'),
        (lambda known: known.update(code_sha256="0" * 64), "tinyreason's code (00000000… there"),
        (lambda known: known["means"]["dtype"].update(got="float16"), 'dtype is "float16" there and "float32" here'),
        (lambda known: known.clear(), "cannot be read"),
    ],
)
def test_other_code_and_another_machine_are_refused(tmp_path, change, words):
    begun(tmp_path / "run")
    file = tmp_path / "run" / "environment.json"
    known = json.loads(file.read_text())
    change(known)
    file.write_text(json.dumps(known))
    assert words in refusal(tmp_path / "run")


@pytest.mark.parametrize("what", ["base_sha256", "data_sha256"])
def test_another_base_and_other_data_are_refused(tmp_path, what):
    begun(tmp_path / "run")
    file = tmp_path / "run" / "checkpoints" / "start.json"
    file.parent.mkdir()
    base = base_sha256(Model(name="sandbox")) if what == "data_sha256" else "0" * 64
    file.write_text(json.dumps({"base_sha256": base, "data_sha256": "0" * 64, "seconds": {}, "before": []}))
    assert ("another base model" if what == "base_sha256" else "other data") in refusal(tmp_path / "run")


def test_a_finished_run_shows_its_result_and_takes_no_step(tmp_path):
    begun(tmp_path / "run")
    (tmp_path / "run" / "result.json").write_text(json.dumps(outcome()))
    result, console = go(tmp_path / "run", "one_shot_rlvr", *GRPO)
    assert result.as_json() == outcome()
    assert "finished" in console and "--fresh" in console
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_starting_over_takes_away_what_a_run_wrote_and_nothing_else(tmp_path):
    config, context = begun(tmp_path / "run")
    for name in ("metrics.jsonl", "result.json", "mine.txt", "critiques.jsonl.answers.jsonl"):
        (tmp_path / "run" / name).write_text("{}")
    (tmp_path / "run" / "checkpoints").mkdir()
    other = config.model_copy(update={"seed": 5})
    open_or_resume(tmp_path / "run", other, context, fresh=True)
    names = {path.name for path in (tmp_path / "run").iterdir()}
    ours = {"config.yaml", "environment.json", "constraints.txt"}
    assert names == {*ours, "mine.txt", "critiques.jsonl.answers.jsonl"}


def test_starting_over_does_not_touch_a_folder_that_no_run_wrote(tmp_path):
    config, context = begun(tmp_path / "run")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.yaml").write_text("host: example.org")
    (tmp_path / "mine" / "thesis.txt").write_text("!")
    with pytest.raises(FolderError, match="not empty"):
        open_or_resume(tmp_path / "mine", config, context, fresh=True)
    assert len(list((tmp_path / "mine").iterdir())) == 2


@pytest.mark.parametrize("left", [{".config.yaml.part"}, {"config.yaml"}, {"config.yaml", ".environment.json.part"}])
def test_a_run_killed_in_its_first_moment_begins_again(tmp_path, left):
    config, context = begun(tmp_path / "run")
    for name in ("environment.json", "constraints.txt"):
        (tmp_path / "run" / name).unlink()
    for name in left - {"config.yaml"}:
        (tmp_path / "run" / name).write_text("{")
    if "config.yaml" not in left:
        (tmp_path / "run" / "config.yaml").unlink()
    folder = open_or_resume(tmp_path / "run", config, context)
    assert not folder.is_resumed
    assert {path.name for path in folder.path.iterdir()} == {"config.yaml", "environment.json", "constraints.txt"}
