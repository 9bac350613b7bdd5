"""A run that taught nothing is not called improved; one that breaks down ends there with its last good adapter."""

import json
import shutil
from types import SimpleNamespace

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file
from sessions import context_of, said
from synthetic_run import outcome, write_run

from tinyreason.cli.main import main
from tinyreason.cli.train_output import conclude, explain_training
from tinyreason.config.recipe import read_recipe
from tinyreason.errors import ModelError, NotFinite, Stopped
from tinyreason.evaluation.score import Completion, Score
from tinyreason.example import Example
from tinyreason.pipeline.conclusion import conclusion, meets_expectation
from tinyreason.pipeline.run import run
from tinyreason.reporting.report import write_report
from tinyreason.runs.deadline import Deadline
from tinyreason.runs.result import RunResult
from tinyreason.sandbox import BASE
from tinyreason.trainers.loop import FiniteSteps

EVALUATION = ("evaluation.problems=4", "evaluation.samples=1", "validation=null")
KINDS = {
    "grpo": (
        *("rlvr", *EVALUATION, "train.rollouts_per_step=8", "train.group_size=4", "train.max_completion_tokens=64"),
        "data.size=4",
    ),
    "sft": ("reasoning_sft", *EVALUATION, "train.batch_size=4", "data.size=16"),
}
RUINOUS = (
    *("train.learning_rate=4e9", "train.schedule=constant", "adapter.kind=lora_xs", "adapter.alpha=4e9"),
    *("adapter.targets=mlp", "adapter.rank=4"),
)
"""The products of such weights are infinite."""
each_kind = pytest.mark.parametrize("kind", KINDS)


def go(out, kind, *overrides, deadline=None):
    """(result, what was on the screen)"""
    recipe, *quick = KINDS[kind]
    config = read_recipe(recipe).resolve("sandbox", (*quick, *overrides))
    context = context_of(config, deadline)
    result = run(config, out, context)
    conclude(context.console, result, out)
    return result, said(context)


def adapter_of(out):
    return load_file(out / "adapter" / "adapter_model.safetensors")


# Nothing was taught


@each_kind
def test_a_run_that_changed_no_weight_can_tell_no_gain_and_says_why(tmp_path, kind):
    result, screen = go(
        tmp_path / "run", kind, "train.max_steps=1", "train.learning_rate=1e-45", "train.weight_decay=0"
    )
    assert result.training.largest_weight_change == 0
    assert (result.verdict, result.meets_expectation) != ("improved", True)
    assert "training changed no weight" in result.verdict_reason
    assert f"why         {result.verdict_reason}" in screen
    assert "No gain can be told: training changed no weight" in (tmp_path / "run" / "report.html").read_text()


def test_a_gradient_of_zero_in_every_step_teaches_nothing_even_where_weights_decay(tmp_path):
    never = ("rewards=[{kind: format}]", "train.max_steps=2", "train.weight_decay=0.1", "train.learning_rate=0.5")
    result, _ = go(tmp_path / "run", "grpo", *never, "train.kl=0", "train.max_completion_tokens=2")
    norms = [json.loads(line)["gradient/norm"] for line in (tmp_path / "run" / "metrics.jsonl").open()]
    assert norms == [0, 0]
    assert result.training.largest_weight_change > 0
    assert (result.verdict, result.verdict_reason) == (
        "cannot tell",
        "the gradient was 0 in every step, so training taught nothing",
    )


def scores(*accuracies):
    def score(correct):
        examples = [Example(str(n), ({"role": "user", "content": str(n)},), "1") for n in range(200)]
        return Score(examples, [[Completion("1" if correct else "2", 1, False, correct)] for _ in examples])

    return [score(correct) for correct in accuracies]


def test_a_difference_that_training_cannot_have_made_is_no_gain_and_meets_no_expectation():
    before, after = scores(False, True)
    assert conclusion(before, after, None)["verdict"] == "improved"
    found = conclusion(before, after, "no weight changed")
    assert (found["verdict"], found["verdict_reason"]) == ("cannot tell", "no weight changed")
    assert found["gain"]["points"] == 100
    values = outcome() | {"expected": {"accuracy": 0.5}, "seconds": {"total": 1}, "tokens": None}
    values["tokens"] = {"change": 0.0, "interval": [0.0, 0.0]}
    assert meets_expectation(RunResult.model_validate(values)) is True
    assert meets_expectation(RunResult.model_validate(values | {"verdict_reason": "none"})) is False


def test_the_page_says_why_nothing_can_be_told(tmp_path):
    folder = write_run(tmp_path / "run", verdict="cannot tell", verdict_reason="training changed no weight")
    page = write_report([folder]).read_text()
    assert "No gain can be told: training changed no weight." in page
    assert "which for this reason proves nothing" in page and "it includes 0" not in page


def test_an_interrupted_run_knows_the_same_change_of_its_weights(tmp_path):
    whole, _ = go(tmp_path / "whole", "sft", "train.max_steps=3")
    with pytest.raises(Stopped):
        go(tmp_path / "cut", "sft", "train.max_steps=3", deadline=Deadline(last_step=1))
    resumed, _ = go(tmp_path / "cut", "sft", "train.max_steps=3")
    assert resumed.training.largest_weight_change == whole.training.largest_weight_change > 0


# Nothing finite


@pytest.fixture(scope="module")
def broken_base(tmp_path_factory):
    """A copy of the sandbox's base in which one number is nan."""
    folder = shutil.copytree(BASE, tmp_path_factory.mktemp("base") / "broken")
    file = next(folder.glob("*.safetensors"))
    tensors = load_file(file)
    name = next(name for name in tensors if "down_proj" in name)
    tensors[name] = tensors[name].clone()
    tensors[name].view(-1)[3] = float("nan")
    save_file(tensors, file, metadata={"format": "pt"})
    return folder


@each_kind
def test_a_base_with_one_nan_is_refused_before_anything_is_measured(tmp_path, broken_base, kind):
    with pytest.raises(ModelError, match=r"holds 1 numbers that are not finite .*down_proj.*choose another base"):
        go(tmp_path / "run", kind, f"model.name={broken_base}")
    assert not (tmp_path / "run").exists()
    recipe, *quick = KINDS[kind]
    command = ["recipe", recipe, *quick, f"model.name={broken_base}", "--on", "sandbox", "--out", str(tmp_path / "r")]
    assert CliRunner().invoke(main, command).exit_code == 2


@each_kind
def test_a_learning_rate_that_destroys_the_adapter_ends_at_that_step_with_the_last_good_one(tmp_path, kind):
    out = tmp_path / "run"
    with pytest.raises(NotFinite) as caught:
        go(out, kind, "train.max_steps=4", *RUINOUS)
    message = str(caught.value)
    assert "loss of step 2 is not finite" in message and "lower train.learning_rate" in message
    assert "adapter/ holds the adapter that it began with" in message and "\n" not in message
    assert all(tensor.isfinite().all() and tensor.abs().max() < 1e6 for tensor in adapter_of(out).values())
    assert not (out / "result.json").exists()
    assert [json.loads(line)["step"] for line in (out / "metrics.jsonl").open()] == [1]
    kept = {name: tensor.clone() for name, tensor in adapter_of(out).items()}
    with pytest.raises(NotFinite, match=r"step 2 is not finite.* adapter/ holds the adapter that it began with"):
        go(out, kind, "train.max_steps=4", *RUINOUS)
    assert all(torch.equal(tensor, kept[name]) for name, tensor in adapter_of(out).items())


def test_a_last_step_that_destroys_the_adapter_is_found_by_the_evaluation(tmp_path):
    with pytest.raises(NotFinite, match=r"logits are not finite.*; adapter/ holds the adapter that it began with"):
        go(tmp_path / "run", "sft", "train.max_steps=1", *RUINOUS)
    assert all(tensor.abs().max() < 1e6 for tensor in adapter_of(tmp_path / "run").values())
    assert not (tmp_path / "run" / "result.json").exists()


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_the_adapter_of_the_last_sound_step_is_kept(tmp_path, monkeypatch, what):
    """Step 3 breaks down: by its loss, so that what step 2 left is in doubt, or by its gradient alone."""
    whole, _ = go(tmp_path / "whole", "sft", "train.max_steps=3", "checkpoints.keep=null", "checkpoints.every_steps=1")
    sound = FiniteSteps.on_pre_optimizer_step

    def spoil(self, args, state, control, model=None, **more):
        if state.global_step == 2 and what == "loss":
            self.losses.append(torch.tensor(torch.nan))
        if state.global_step == 2 and what == "gradient":
            next(p for p in model.parameters() if p.grad is not None).grad[0, 0] = torch.inf
        sound(self, args, state, control, model=model, **more)

    monkeypatch.setattr(FiniteSteps, "on_pre_optimizer_step", spoil)
    good = 1 if what == "loss" else 2
    with pytest.raises(NotFinite, match=rf"{what} of step 3 .*adapter/ holds the adapter after step {good}, the last"):
        go(tmp_path / "run", "sft", "train.max_steps=3")
    expected = load_file(tmp_path / "whole" / "checkpoints" / f"step-{good:06}" / "trained.safetensors")
    kept = adapter_of(tmp_path / "run")
    assert len(kept) == len(expected) and whole.training.steps == 3
    for name, tensor in expected.items():
        assert torch.equal(kept[name.replace(".default", "")], tensor)


def test_in_float16_a_gradient_that_overflows_is_a_skipped_step_until_the_scale_is_used_up():
    finite, model = FiniteSteps(1e-4, "float16"), torch.nn.Linear(2, 2)
    scale = {"value": 65536.0}
    finite.scaler = SimpleNamespace(get_scale=lambda: scale["value"])

    def step(gradient):
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, gradient)
        finite.losses = [torch.tensor(1.0)]
        finite.on_pre_optimizer_step(None, SimpleNamespace(global_step=6), None, model=model)
        return finite.is_skipped

    assert step(torch.inf) is True and step(0.5) is False
    scale["value"] = 0.5
    with pytest.raises(NotFinite, match=r"gradient of step 7 is not finite.*or type model.dtype=float32"):
        step(torch.nan)
    finite.scaler = None
    with pytest.raises(NotFinite, match="gradient of step 7"):
        step(torch.inf)


def test_skipped_steps_are_counted_for_the_reader(tmp_path):
    training = outcome()["training"] | {"last_reward": 1.0, "skipped_steps": 2, "steps": 40}
    values = outcome() | {"training": training}
    lines = list(explain_training(RunResult.model_validate(values).training))
    assert "skipped     2 of 40 steps, whose gradient float16 could not hold" in lines
    page = write_report([write_run(tmp_path / "run", training=training)]).read_text()
    assert "2 of these steps were skipped" in page
