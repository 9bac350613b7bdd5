"""The functions that a notebook calls instead of the command line."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import get_type_hints

import pytest

import tinyreason
from tinyreason.errors import ConfigError, DataError, FolderError, TinyReasonError
from tinyreason.runs.result import RunResult, SeedsResult, read_seeds_result

QUICK = [
    *("train.max_steps=1", "train.rollouts_per_step=8", "train.max_completion_tokens=32"),
    *("evaluation.problems=4", "evaluation.samples=1", "validation=null"),
]
SECTIONS = [
    "train={max_steps: 1, rollouts_per_step: 8, max_completion_tokens: 32}",
    "evaluation={problems: 4, samples: 1}",
    "validation=null",
]


def test_help_says_what_the_entry_points_are():
    code = "import tinyreason; help(tinyreason)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for name in tinyreason.__all__:
        assert f"\n    {name}(" in done.stdout
    assert "Errors: `ConfigError`" in done.stdout


def test_importing_the_package_imports_nothing_else():
    code = "import sys, tinyreason; print(*sorted(sys.modules.keys() & {'torch', 'pydantic', 'click', 'yaml'}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


def check_card(run, monkeypatch, capsys):
    """The card beside the adapter is ours and short, has no path of this machine, and its code works."""
    card = (run / "adapter" / "README.md").read_text(encoding="utf-8")
    assert "recipe `one_shot_rlvr`, tier `sandbox`, seed 1" in card and "adapter of rank 1 on sandbox" in card
    assert not re.search(r"(?<![\w:/])/\w+/", card) and "base_model:" not in card
    code = re.search(r"```python\n(.*?)```", card, re.DOTALL)[1]
    assert len([line for line in code.splitlines() if line and "import" not in line]) <= 6
    monkeypatch.chdir(run)
    exec(code, {})
    assert "What is 12 + 30?" in capsys.readouterr().out


def test_a_recipe_is_loaded_trained_by_and_evaluated(tmp_path, capsys, monkeypatch):
    config = tinyreason.load_recipe("one_shot_rlvr", "sandbox", QUICK, seed=1)
    assert (config.seed, config.train.max_steps) == (1, 1)
    result = tinyreason.run(config, tmp_path / "run")
    assert result.before.problems == 4 and (tmp_path / "run" / "adapter").is_dir()
    assert "What next" in capsys.readouterr().out
    assert tinyreason.run(config, tmp_path / "run") == result  # finished: shown again, not trained again
    check_card(tmp_path / "run", monkeypatch, capsys)
    found = tinyreason.evaluate(
        tmp_path / "run", "chain", against="base", problems=3, samples=2, out=tmp_path / "eval", max_completion_tokens=8
    )
    assert found.benches["chain"].model.problems == 3
    assert found.benches["chain"].gain.interval[0] <= found.benches["chain"].gain.points
    assert (tmp_path / "eval" / "eval.json").is_file()


def test_completions_are_graded_in_their_order():
    verdicts = tinyreason.grade(["\\boxed{4}", "\\boxed{5}", "no idea"], ["4", "4", "4"])
    assert [verdict.correct for verdict in verdicts] == [True, False, False]
    with pytest.raises(DataError, match="1 completions and 0 answers are given"):
        tinyreason.grade(["\\boxed{4}"], [])


@pytest.mark.parametrize(
    ("completions", "answers", "words"),
    [("text", "x", "completions='text' is not a list"), (["\\boxed{4}"], "4", "answers='4'"), (["4"], [4], "[4]")],
)
def test_texts_that_are_not_in_a_list_are_one_sentence(completions, answers, words):
    with pytest.raises(DataError, match=re.escape(words)):
        tinyreason.grade(completions, answers)


def test_one_override_needs_no_list():
    assert tinyreason.load_recipe("rlvr", "sandbox", "train.max_steps=7").train.max_steps == 7


@pytest.mark.parametrize(
    ("config", "seeds", "words"),
    [
        ("one_shot_rvlr", None, "did you mean 'one_shot_rlvr'"),
        ({"recipe": "rlvr"}, None, "is not a config; give what load_recipe returns"),
        ("rlvr", [], "seeds=[] are not different whole numbers"),
        ("rlvr", [1, 1], "seeds=[1, 1]"),
        ("rlvr", ["0"], "seeds=['0']"),
        ("rlvr", -1, "seeds=-1"),
    ],
)
def test_what_cannot_be_run_is_one_sentence(tmp_path, config, seeds, words):
    with pytest.raises(ConfigError, match=re.escape(words)):
        tinyreason.run(config, tmp_path / "run", seeds=seeds)
    assert not (tmp_path / "run").exists()


def test_a_recipe_is_run_by_name_with_several_seeds(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = "\n".join(["extends: one_shot_rlvr", *(line.replace("=", ": ") for line in SECTIONS)])
    (tmp_path / "mine.yaml").write_text(text)
    found = tinyreason.run("mine.yaml", "both", seeds=[0, 3])
    assert [row.seed for row in found.runs] == [0, 3] and found.before.problems == 4
    assert found == read_seeds_result(tmp_path / "both")
    assert "over 2 seeds" in capsys.readouterr().out


def test_a_mistake_is_one_sentence(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'one_shot_rlvr'"):
        tinyreason.load_recipe("one_shot_rvlr")
    with pytest.raises(DataError, match="there is no file"):
        tinyreason.run(tinyreason.load_recipe("rlvr", "sandbox", ["data.file=none.jsonl"]), tmp_path / "run")


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ({}, "expandable_segments:True"),
        ({"PYTORCH_CUDA_ALLOC_CONF": "max_split_size_mb:128"}, "max_split_size_mb:128"),
        ({"PYTORCH_ALLOC_CONF": "max_split_size_mb:128"}, "None"),
    ],
)
def test_the_memory_of_a_card_grows_in_place_unless_the_user_has_said_otherwise(given, seen):
    code = "import os, sys, tinyreason; print(os.environ.get('PYTORCH_CUDA_ALLOC_CONF'), 'torch' in sys.modules)"
    rest = {name: value for name, value in os.environ.items() if "ALLOC_CONF" not in name}
    done = subprocess.run([sys.executable, "-c", code], env=rest | given, capture_output=True, text=True, check=True)
    assert done.stdout == f"{seen} False\n"


def test_on_windows_where_it_is_unsupported_nothing_is_set():
    code = "import os, sys; sys.platform = 'win32'; import tinyreason; print(os.environ.get('PYTORCH_CUDA_ALLOC_CONF'))"
    rest = {name: value for name, value in os.environ.items() if "ALLOC_CONF" not in name}
    done = subprocess.run([sys.executable, "-c", code], env=rest, capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"


def test_what_the_docs_show_runs(tmp_path, monkeypatch, capsys):
    """The code of docs/python.md, in order, with fewer steps and problems."""
    full = tinyreason.load_recipe

    def load_quick(name, tier, overrides):
        return full(name, tier, [*overrides, *QUICK, "train.max_steps=4", "evaluation.template_check=false"])

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tinyreason, "load_recipe", load_quick)
    text = (Path(__file__).parents[1] / "docs" / "python.md").read_text(encoding="utf-8")
    names = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, names)
    assert len(names["rewards"]) == 3  # it is told of the step after which it asked, and of the last
    said = capsys.readouterr().out
    assert "stopped by a callback after step 3 of 4" in said and "\n4 " in said and "[True, False]" in said
    assert names["exported"].passes and "answers as the adapter does" in said
    assert names["row"].gain.points == 0.0 and tinyreason.read_result("runs/other") == names["result"]
    shown = names["result"]._repr_html_()
    assert shown.startswith("<div><p><b>one_shot_rlvr on sandbox: cannot tell</b>, +") and "4 unseen problems" in shown


def test_a_folder_alone_and_one_without_a_result_are_one_sentence(tmp_path):
    with pytest.raises(ConfigError, match="one folder is not a comparison"):
        tinyreason.compare(tmp_path)
    with pytest.raises(FolderError, match=r"has no result\.json"):
        tinyreason.read_result(tmp_path)


@pytest.mark.parametrize(("kind", "more"), [("ggml", {}), ("gguf", {"file_type": "q4"}), ("merged", {"dtype": "int8"})])
def test_a_form_that_there_is_not_is_one_sentence(tmp_path, kind, more):
    with pytest.raises(ConfigError, match=r"export has no (kind|type|dtype) '(ggml|q4|int8)'; it has "):
        tinyreason.export("sandbox", kind, tmp_path, **more)


def test_an_evaluation_takes_a_chat_template(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "tinyreason.evaluation.benchmark_request.read_sides", lambda *words: asked.extend(words) or 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        tinyreason.evaluate("sandbox", "chain", chat_template=tmp_path / "x.jinja")
    assert asked == ["sandbox", None, None, str(tmp_path / "x.jinja")]
    monkeypatch.undo()
    with pytest.raises(TinyReasonError, match=r"none\.jinja"):
        tinyreason.evaluate("sandbox", "chain", chat_template="none.jinja")


@pytest.mark.parametrize("gone", ["tokens", "second_opinion", "recipe", "meets_expectation"])
def test_a_result_is_shown_in_a_notebook_whatever_it_lacks(gone):
    side = {"accuracy": 0.25, "interval": [0.2, 0.3], "mean_tokens": 9, "problems": 8, "samples": 1}
    gain = {"points": -1.5, "interval": [-3.0, 0.0]}
    values = {
        "recipe": "<b>&", "tier": "sandbox", "before": side, "after": side, "gain": gain, "verdict": "worse",
        "tokens": {"change": -0.4, "interval": [-0.5, -0.3]}, "meets_expectation": False,
        "second_opinion": {"accuracy": [0.1, 0.2], "gain": gain, "verdict": "worse", "signs": [{}, {}]},
    }  # fmt: skip
    shown = RunResult.model_validate({name: value for name, value in values.items() if name != gone})._repr_html_()
    assert "worse</b>, -1.5 points, 95 % interval -3.0 to +0.0" in shown and "None" not in shown
    assert ("&lt;b&gt;&amp; on sandbox" in shown) == (gone != "recipe") and ("tokens -40%" in shown) == (
        gone != "tokens"
    )


def test_the_package_says_that_it_is_typed():
    assert (Path(tinyreason.__file__).parent / "py.typed").is_file()
    hints = {name: get_type_hints(getattr(tinyreason, name), vars(types_of())) for name in tinyreason.__all__}
    assert all("return" in found for found in hints.values())
    assert hints["run"]["return"] == RunResult | SeedsResult


def types_of():
    """What the annotations of the package name, which it imports for type checkers alone."""
    from tinyreason.config.run_config import RunConfig
    from tinyreason.evaluation.benchmark_run import BenchmarkResult
    from tinyreason.evaluation.compare import ComparisonRow
    from tinyreason.exporting.request import Exported, Kind
    from tinyreason.grading.grader import Verdict
    from tinyreason.runs.context import StepCallback

    found = {**vars(tinyreason), "RunConfig": RunConfig, "BenchmarkResult": BenchmarkResult, "Verdict": Verdict}
    found |= {"ComparisonRow": ComparisonRow, "StepCallback": StepCallback, "Exported": Exported, "Kind": Kind}
    return SimpleNamespace(**found, RunResult=RunResult, SeedsResult=SeedsResult)
