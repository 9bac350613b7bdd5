"""The four functions that a notebook calls instead of the command line."""

import os
import subprocess
import sys

import pytest

import tinyreason
from tinyreason.errors import ConfigError, DataError

QUICK = [
    *("train.max_steps=1", "train.rollouts_per_step=8", "train.max_completion_tokens=32"),
    *("evaluation.problems=4", "evaluation.samples=1", "validation=null"),
]


def test_help_says_what_the_entry_points_are():
    code = "import tinyreason; help(tinyreason)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for name in ("load_recipe", "run", "evaluate", "grade"):
        assert f"\n    {name}(" in done.stdout
    assert "Errors: `ConfigError`" in done.stdout


def test_importing_the_package_imports_nothing_else():
    code = "import sys, tinyreason; print(*sorted(sys.modules.keys() & {'torch', 'pydantic', 'click', 'yaml'}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


def test_a_recipe_is_loaded_trained_by_and_evaluated(tmp_path, capsys):
    config = tinyreason.load_recipe("one_shot_rlvr", "sandbox", QUICK, seed=1)
    assert (config.seed, config.train.max_steps) == (1, 1)
    result = tinyreason.run(config, tmp_path / "run")
    assert result.before.problems == 4 and (tmp_path / "run" / "adapter").is_dir()
    assert "What next" in capsys.readouterr().out
    assert tinyreason.run(config, tmp_path / "run") == result  # finished: shown again, not trained again
    found = tinyreason.evaluate(
        tmp_path / "run", "chain", against="base", problems=3, samples=2, out=tmp_path / "eval", max_completion_tokens=8
    )
    assert found.benches["chain"].model.problems == 3
    assert found.benches["chain"].gain.interval[0] <= found.benches["chain"].gain.points
    assert (tmp_path / "eval" / "eval.json").is_file()


def test_completions_are_graded_in_their_order():
    verdicts = tinyreason.grade(["\\boxed{4}", "\\boxed{5}", "no idea"], ["4", "4", "4"])
    assert [verdict.correct for verdict in verdicts] == [True, False, False]
    with pytest.raises(ValueError, match="shorter"):
        tinyreason.grade(["\\boxed{4}"], [])


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
