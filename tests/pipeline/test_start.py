"""A run from an adapter is measured against that start, beside the bare base, and only an adapter that fits starts."""

import json
import shutil

import pytest
import torch
from sessions import context_of, said

from tinyreason.cli.train_output import announce, conclude
from tinyreason.config.recipe import read_recipe
from tinyreason.errors import ModelError, ResumeError, Stopped
from tinyreason.pipeline.run import run
from tinyreason.reporting.report import write_report
from tinyreason.runs.deadline import Deadline

QUICK = (
    *("train.max_steps=2", "train.rollouts_per_step=16", "train.max_completion_tokens=64", "data.size=4"),
    *("evaluation.problems=8", "evaluation.samples=1", "validation=null"),
)


def go(out, *overrides, recipe="rlvr", deadline=None):
    """(result, what was on the screen)"""
    config = read_recipe(recipe).resolve("sandbox", (*(QUICK if recipe == "rlvr" else ()), *overrides))
    context = context_of(config, deadline)
    announce(context, config, out)
    result = run(config, out, context)
    conclude(context.console, result, out)
    return result, said(context)


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """The adapter of a short supervised run, which the sandbox's base is far behind."""
    out = tmp_path_factory.mktemp("sft") / "run"
    few = (
        "train.max_steps=30",
        "train.batch_size=8",
        "train.learning_rate=1e-2",
        "evaluation.problems=4",
        "evaluation.samples=1",
        "adapter.targets=attention",
    )
    go(out, *few, "adapter.rank=8", recipe="reasoning_sft")
    return out / "adapter"


def from_(adapter, *overrides):
    return (f"adapter.start={adapter}", "adapter.rank=8", "adapter.targets=attention", *overrides)


def test_the_baseline_is_the_start_and_the_bare_base_is_said_beside_it(taught, tmp_path):
    result, screen = go(tmp_path / "run", *from_(taught, "train.learning_rate=1e-9"))
    bare, _ = go(tmp_path / "bare", "train.learning_rate=1e-9")
    written = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert written["base"] == json.loads((tmp_path / "bare" / "evaluation.json").read_text())["before"]
    assert written["before"] == written["after"] != written["base"]  # the steps were too small for any change
    assert (result.base, result.before) == (bare.before, result.after)
    assert result.verdict == "cannot tell" and result.gain.points == 0
    stored = json.loads((tmp_path / "run" / "result.json").read_text())
    assert stored["base"].keys() == stored["before"].keys()
    header = next(line for line in screen.splitlines() if "unseen problems" in line)
    assert header.split()[-3:] == ["base", "start", "end"]
    assert "gain        over the start, +0.0 points" in screen and "a KL penalty of 0.01 to the start" in screen
    assert "base" not in json.loads((tmp_path / "bare" / "result.json").read_text())


def test_the_page_has_base_start_and_end_and_several_runs_a_table_of_the_last_two(taught, tmp_path):
    result, _ = go(tmp_path / "run", *from_(taught))
    page = (tmp_path / "run" / "report.html").read_text()
    labels = [f'aria-label="{label}: ' for label in ("base", "start", "end")]
    assert all(label in page for label in labels) and sorted(labels, key=page.index) == labels
    assert "at the start, which is an adapter, and" in page
    both = write_report([tmp_path / "run", tmp_path / "run"], tmp_path / "both.html").read_text()
    row = both[both.index("<tbody>") : both.index("</tbody>")]
    shown = [f"<td>{100 * side.accuracy:.1f}\N{NO-BREAK SPACE}%</td>" for side in (result.before, result.after)]
    assert row.count("%</td>") == 4 and "".join(shown) in row


def test_a_run_from_an_adapter_resumes_with_both_evaluations_and_the_same_end(taught, tmp_path):
    whole, _ = go(tmp_path / "whole", *from_(taught))
    with pytest.raises(Stopped):
        go(tmp_path / "cut", *from_(taught), deadline=Deadline(last_step=1))
    resumed, screen = go(tmp_path / "cut", *from_(taught))
    assert "the bare base was measured before" in screen and "the baseline was measured before" in screen
    files = ("evaluation.json", "adapter/adapter_model.safetensors")
    assert all((tmp_path / "whole" / file).read_bytes() == (tmp_path / "cut" / file).read_bytes() for file in files)
    assert (resumed.base, resumed.before, resumed.after) == (whole.base, whole.before, whole.after)


def test_another_start_in_the_same_place_is_not_resumed_from(taught, tmp_path):
    start = shutil.copytree(taught, tmp_path / "start")
    with pytest.raises(Stopped):
        go(tmp_path / "run", *from_(start), deadline=Deadline(last_step=1))
    from safetensors.torch import load_file, save_file

    file = start / "adapter_model.safetensors"
    save_file({name: 2 * tensor for name, tensor in load_file(file).items()}, file)
    with pytest.raises(ResumeError, match="another adapter to start from"):
        go(tmp_path / "run", *from_(start))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            ("adapter.targets=mlp",),
            ("of its", "no place here", "self_attn.k_proj.lora_A.weight", "k_proj,o_proj,q_proj,v_proj"),
        ),
        (("adapter.targets=all-linear",), ("nothing for", "mlp.down_proj", "k_proj,o_proj,q_proj,v_proj")),
        (("adapter.targets=[q_proj]",), ("no place here", "k_proj.lora_A.weight")),
        (("adapter.rank=4",), ("adapter.rank=4", "type adapter.rank=8")),
        (("adapter.alpha=3",), ("adapter.alpha=3", "type adapter.alpha=32")),
        (("adapter.rslora=true",), ("adapter.rslora=true", "type adapter.rslora=false")),
        (("adapter.kind=lora_xs",), ("adapter.alpha=8; type adapter.alpha=32",)),
    ],
)
def test_a_start_that_does_not_fit_is_refused_before_anything_is_measured(taught, tmp_path, overrides, words):
    with pytest.raises(ModelError) as caught:
        go(tmp_path / "run", *from_(taught, *overrides))
    message = str(caught.value)
    assert all(word in message for word in (*words, f"adapter.start={taught}")) and "\n" not in message
    assert not (tmp_path / "run").exists()


def test_a_warm_up_of_other_layers_is_refused_too(taught, tmp_path):
    few = ("evaluation.problems=4", "evaluation.samples=1", f"warmup.adapter={taught}", "adapter.rank=8")
    with pytest.raises(ModelError, match=r"warmup.adapter=.* 32 of its 32 tensors have no place here"):
        go(tmp_path / "run", *few, "adapter.targets=mlp", recipe="length_grpo")
    assert not (tmp_path / "run").exists()


def test_nothing_of_an_adapter_is_dropped_when_it_is_restored(taught, sandbox):
    model, _ = sandbox
    adapter = read_recipe("rlvr").resolve("sandbox", ("adapter.rank=8", "adapter.targets=mlp")).adapter
    with pytest.raises(ModelError, match=r"32 of its 32 tensors have no place here.* and 28 more \(of k_proj, o_proj"):
        adapter.restore(adapter.attach(model, 0), taught)


def test_switching_the_adapter_off_and_on_leaves_what_is_trained_as_it_was(taught, load):
    adapter = read_recipe("rlvr").resolve("sandbox", from_(taught)).adapter
    model = adapter.attach(load()[0], 0)
    before = {name: p.requires_grad for name, p in model.named_parameters()}
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        with model.disable_adapter():
            off = model(ids).logits
        on = model(ids).logits
        assert torch.equal(off, load()[0](ids).logits) and not torch.equal(on, off)
    assert {name: p.requires_grad for name, p in model.named_parameters()} == before
    assert any(before.values())
