"""The notebooks run from top to bottom, on the sandbox tier with few steps, as they are."""

import importlib.util
import json
import os
import sys
import tomllib
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
QUICK = {
    "one_shot_rlvr": "train.max_steps=2 train.rollouts_per_step=16 validation.problems=6",
    "critique_ft": "train.max_steps=2 train.batch_size=4 data.size=12",
}


def test_there_is_a_notebook_for_each_way():
    assert {path.stem for path in NOTEBOOKS} == set(QUICK)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_holds_no_output_sets_no_training_value_and_resumes_its_run(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert not any(cell.get("outputs") for cell in notebook["cells"])
    run = next(line for text in code for line in text.splitlines() if line.startswith("!tinyreason recipe"))
    assert "=" not in run.replace("2>&1", "")
    assert run.startswith(f'!tinyreason recipe {path.stem} --out "{{OUT}}" --deadline ')
    assert any(f'OUT = home / "{path.stem}"' in text for text in code)  # the same folder in every session


# Where it installs from


def maker():
    """docs/make_notebooks.py, which writes that."""
    place = importlib.util.spec_from_file_location("make_notebooks", ROOT / "docs" / "make_notebooks.py")
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PUBLISHED = PROJECT | {"version": "1.2.3", "urls": {"Repository": "https://github.com/someone/tinyreason.git"}}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_the_one_that_the_project_makes(path):
    text = path.read_text(encoding="utf-8")
    assert text == maker().notebook(text, path.stem, PROJECT), "type: python docs/make_notebooks.py"


def defaults(text):
    """(source that is installed from where the person names none, first cell)"""
    cells = json.loads(text)["cells"]
    line = next(line for line in cells[1]["source"] if line.startswith("SOURCE = "))
    return eval(line.partition("=")[2], {"os": types.SimpleNamespace(environ={})}), "".join(cells[0]["source"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_with_a_repository_a_notebook_installs_from_it_pinned_and_has_a_badge(path):
    text = path.read_text(encoding="utf-8")
    made = maker().notebook(text, path.stem, PUBLISHED)
    source, first = defaults(made)
    assert source == "git+https://github.com/someone/tinyreason@v1.2.3"
    place = f"https://colab.research.google.com/github/someone/tinyreason/blob/v1.2.3/notebooks/{path.stem}.ipynb"
    assert first.count(f"]({place})") == 1 and first.startswith("# ")
    assert maker().notebook(made, path.stem, PUBLISHED) == made
    assert maker().notebook(made, path.stem, PROJECT) == text


def install(path, place, monkeypatch, source):
    """What a notebook hands to pip where tinyreason is not there yet; the run is in `place`."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    (code,) = (text for cell in cells if "%pip" in (text := "".join(cell["source"])) and cell["cell_type"] == "code")
    code = code.replace("%pip install -q {SAME} {SOURCE}", "words.extend(f'{SAME} {SOURCE}'.split())")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    words = []
    exec(code, {"SOURCE": source, "OUT": place, "words": words})
    return words


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_second_session_installs_what_the_first_had(path, tmp_path, monkeypatch):
    source = "git+https://github.com/someone/tinyreason@v1.2.3"
    assert install(path, tmp_path, monkeypatch, source) == [source]
    (tmp_path / "constraints.txt").write_text("trl==1.16.0\n")
    assert install(path, tmp_path, monkeypatch, source) == ["-c", str(tmp_path / "constraints.txt"), source]


@pytest.mark.parametrize("source", ["", "tinyreason"])
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_name_that_anybody_could_register_is_never_installed(path, tmp_path, monkeypatch, source):
    with pytest.raises(AssertionError, match="set SOURCE above"):
        install(path, tmp_path, monkeypatch, source)


EACH = [
    pytest.param(path, marks=() if path.stem == "one_shot_rlvr" else pytest.mark.stress, id=path.stem)
    for path in NOTEBOOKS
]
"""They differ in the recipe alone, so one of them is enough for every day."""


@pytest.mark.slow
@pytest.mark.parametrize("path", EACH)
def test_a_notebook_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    monkeypatch.setenv("TINYREASON_OVERRIDES", f"{QUICK[path.stem]} evaluation.problems=6 evaluation.samples=1")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    (run,) = (folder for folder in (tmp_path / "runs").iterdir() if folder.is_dir())
    assert json.loads((run / "result.json").read_text())["after"]["problems"] == 6
    assert run.with_suffix(".zip").is_file()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    verdict, page = (output["data"]["text/html"] for output in shown if "text/html" in output.get("data", {}))
    assert f"{path.stem} on sandbox:" in verdict and "6 unseen problems" in verdict
    assert page.startswith('<div><iframe srcdoc="') and "&lt;!doctype html&gt;" in page
    said = "".join(output.get("text", "") for output in shown)
    assert "Recipes can run here" in said
    assert "base:" in said and "adapter:" in said
    assert "\x1b[2K" not in said  # progress in lines, not redrawn ones
