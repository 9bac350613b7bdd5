"""The notebooks run from top to bottom, on the sandbox tier with few steps, as they are."""

import json
import os
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
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


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
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
    page = next(output["data"]["text/html"] for output in shown if "text/html" in output.get("data", {}))
    assert page.startswith('<div><iframe srcdoc="') and "&lt;!doctype html&gt;" in page
    said = "".join(output.get("text", "") for output in shown)
    assert "Recipes can run here" in said
    assert "base:" in said and "adapter:" in said
    assert "\x1b[2K" not in said  # progress in lines, not redrawn ones
