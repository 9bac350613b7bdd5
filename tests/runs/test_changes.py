"""A run resumed on another card, or by other libraries: what is kept, what is refused, what is accepted and marked."""

import json
import shutil
from dataclasses import replace
from importlib import metadata

import pytest
from click.testing import CliRunner
from sessions import context_of, said

import tinyreason
from tinyreason.cli.main import main
from tinyreason.cli.train_output import conclude
from tinyreason.config.model import Model
from tinyreason.config.recipe import read_recipe
from tinyreason.errors import ResumeError, Stopped
from tinyreason.models.hardware import Card
from tinyreason.models.load import base_sha256
from tinyreason.pipeline.run import run
from tinyreason.reporting.report import write_report
from tinyreason.runs.changes import as_begun
from tinyreason.runs.deadline import Deadline
from tinyreason.runs.environment import constraints
from tinyreason.runs.folder import open_run
from tinyreason.runs.resume import open_or_resume
from tinyreason.sandbox import BASE

T4 = Card("Tesla T4", 15.0, (7, 5))
A100 = Card("NVIDIA A100-SXM4-80GB", 80.0, (8, 0))
QUICK = (
    *("train.max_steps=3", "train.rollouts_per_step=8", "train.max_completion_tokens=16", "validation=null"),
    *("evaluation.problems=4", "evaluation.samples=1"),
)


def change(out, **values):
    """Writes other values into a run's environment.json, those of sections over theirs."""
    file = out / "environment.json"
    known = json.loads(file.read_text())
    for name, value in values.items():
        known[name] = known[name] | value if isinstance(value, dict) else value
    file.write_text(json.dumps(known))


def stored(out, name="environment.json"):
    return json.loads((out / name).read_text())


# Another card


def begun_on(card, out, *overrides):
    """(config, folder) of a run that was begun on this card and is opened again."""
    config = read_recipe("rlvr").resolve("t4", (f"model.name={BASE}", *overrides))
    open_run(out, config, context_of(config, card=card))
    return config, open_or_resume(out, config, context_of(config, card=card))


def test_on_another_card_the_number_format_of_the_start_is_kept_and_said(tmp_path):
    config, folder = begun_on(T4, tmp_path / "run")
    context = context_of(config, card=A100)
    assert context.compute.dtype.got == "bfloat16"
    resumed = as_begun(folder, config, context)
    assert (resumed.compute.dtype.got, resumed.compute.card) == ("float16", A100)
    assert "resumed dtype float16, as the run was begun" in said(context)
    assert 'not bit-exact: card is "Tesla T4" there and "NVIDIA A100-SXM4-80GB" here' in said(context)
    assert stored(tmp_path / "run")["bit_exact"] is False


def test_a_number_format_that_the_card_lacks_is_refused_unless_accepted(tmp_path):
    config, folder = begun_on(A100, tmp_path / "run")
    context = context_of(config, card=T4)
    with pytest.raises(ResumeError, match=r'dtype is "bfloat16" there and "float16" here.*--accept-changes'):
        as_begun(folder, config, context)
    resumed = as_begun(folder, config, replace(context, accept_changes=True))
    assert resumed.compute.dtype.got == "float16"


def test_an_optimizer_that_is_not_to_be_had_is_refused_whatever_is_accepted(tmp_path):
    config, folder = begun_on(A100, tmp_path / "run", "model.quantize=none")
    means = stored(tmp_path / "run")["means"]
    change(tmp_path / "run", means={"optimizer": means["optimizer"] | {"got": "paged_adamw_8bit"}})
    context = replace(context_of(config, card=None), accept_changes=True)
    with pytest.raises(ResumeError, match=r"optimizer is \"paged_adamw_8bit\" there"):
        as_begun(folder, config, context)


def test_the_hash_of_a_base_is_of_its_files_not_of_how_it_is_loaded(tmp_path):
    copy = shutil.copytree(BASE, tmp_path / "copy")
    hashes = {base_sha256(Model(name=str(copy), dtype=dtype)) for dtype in ("float32", "float16", "bfloat16")}
    assert hashes == {base_sha256(Model(name="sandbox"))}
    weights = copy / "model.safetensors"
    content = bytearray(weights.read_bytes())
    for place in range(len(content) // 2, len(content), 100):  # what training leaves: nearly all is other
        content[place] ^= 1
    weights.write_bytes(content)
    assert base_sha256(Model(name=str(copy))) not in hashes


# Other libraries


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """The folder of a run that was stopped after its first step."""
    out = tmp_path_factory.mktemp("changes") / "run"
    with pytest.raises(Stopped):
        go(out, deadline=Deadline(last_step=1))
    return out


def go(out, deadline=None, accept=False):
    """(result, what was on the screen)"""
    config = read_recipe("one_shot_rlvr").resolve("sandbox", QUICK)
    context = replace(context_of(config, deadline), accept_changes=accept)
    return run(config, out, context), said(context)


@pytest.fixture
def cut(stopped, tmp_path):
    return shutil.copytree(stopped, tmp_path / "run")


def test_libraries_that_change_no_number_may_be_others(cut):
    used = stored(cut)["versions"] | {"python": "3.0.1", "datasets": "0.1", "bitsandbytes": "0.1", "flash-attn": "0.1"}
    change(cut, versions=used)
    result, screen = go(cut)
    assert "caveat" not in screen and result.bit_exact is None


@pytest.mark.parametrize("library", ["torch", "transformers", "trl", "peft", "accelerate", "math-verify"])
def test_libraries_that_change_numbers_are_refused(cut, library):
    change(cut, versions={library: "0.0.1"})
    with pytest.raises(ResumeError, match=f'begun by other code: {library} is "0.0.1" there.*--accept-changes'):
        go(cut)


def test_a_library_counts_where_the_run_uses_it(tmp_path):
    config, folder = begun_on(T4, tmp_path / "run", "model.quantize=nf4")
    change(tmp_path / "run", versions={"bitsandbytes": "0.0.1"})
    with pytest.raises(ResumeError, match="bitsandbytes"):
        as_begun(folder, config, context_of(config, card=T4))


def test_what_is_accepted_is_marked_wherever_the_run_is_told_of(cut):
    change(cut, versions={"trl": "0.0.1"}, code_sha256="0" * 64)
    with pytest.raises(Stopped):
        go(cut, Deadline(last_step=2), accept=True)
    assert stored(cut)["changes"] == stored(cut)["changes"][:2] and "trl is" in stored(cut)["changes"][0]
    result, screen = go(cut)  # accepted once is accepted
    assert "caveat  this run is not bit-exact: trl is" in screen
    assert stored(cut, "result.json")["bit_exact"] is False
    assert stored(cut, "result.json")["changes"] == stored(cut)["changes"] == result.changes
    page = write_report([cut], cut / "page.html").read_text()
    assert "Not bit-exact: the run was resumed otherwise than it was begun, as trl is" in page
    context = context_of(read_recipe("one_shot_rlvr").resolve("sandbox", QUICK))
    conclude(context.console, result, cut)
    assert "not bit-exact, as it was resumed otherwise than begun: trl is" in said(context)


def test_a_finished_result_is_shown_whatever_the_versions_are(cut):
    result, _ = go(cut)
    change(cut, versions={"torch": "0.0.1"}, code_sha256="0" * 64)
    again, screen = go(cut)
    assert again == result and "this run is finished" in screen


def test_the_command_line_and_python_accept_changes(cut):
    change(cut, versions={"peft": "0.0.1"})
    words = ["recipe", "one_shot_rlvr", *QUICK, "--on", "sandbox", "--out", str(cut)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2 and "--accept-changes" in done.stderr
    config = tinyreason.load_recipe("one_shot_rlvr", "sandbox", QUICK)
    with pytest.raises(ResumeError, match="peft"):
        tinyreason.run(config, cut)
    done = CliRunner().invoke(main, [*words, "--accept-changes"])
    assert done.exit_code == 0 and "caveat      not bit-exact" in done.output


# What the next session installs


def test_the_constraints_are_the_exact_versions_of_what_was_used(cut):
    lines = (cut / "constraints.txt").read_text().splitlines()
    found = dict(line.split("==") for line in lines)
    assert lines == constraints().splitlines() and list(found) == sorted(found)
    for name in ("torch", "transformers", "trl", "peft", "tokenizers", "numpy"):
        assert metadata.version(name).split("+")[0] == found[name]
    assert "tinyreason" not in found and not any("+" in line for line in lines)
