"""One short sandbox run, its exports made once, and the command line that exports."""

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from sessions import context_of

from tinyreason.cli.main import main
from tinyreason.config.recipe import read_recipe

QUICK = (
    *("train.max_steps=3", "train.learning_rate=0.01", "data.size=8", "evaluation.template_check=false"),
    *("evaluation.problems=12", "evaluation.samples=2", "evaluation.max_completion_tokens=24"),
)


def typed(*words):
    """What came of a command line."""
    return CliRunner().invoke(main, [str(word) for word in words])


def differing(done):
    """What an export's gate said differs."""
    return {*re.findall(r"DIFFERS (\w+):", done.output)}


def copied(folder: Path, to: Path) -> Path:
    """A copy of an export, to be damaged."""
    return Path(shutil.copytree(folder, to))


def changed_json(file: Path, **values) -> None:
    """Changes keys of a JSON file."""
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    """A finished run on the sandbox: three steps with which its adapter moves the logits."""
    from tinyreason.pipeline.run import run

    config, out = read_recipe("reasoning_sft").resolve("sandbox", QUICK), tmp_path_factory.mktemp("runs") / "tried"
    run(config, out, context_of(config))
    return out


@pytest.fixture(scope="session")
def exported(run_folder, tmp_path_factory):
    """A function: words of the command line → the folder of that export, which passed, made once."""
    made = {}

    def export(*words):
        if words not in made:
            made[words] = tmp_path_factory.mktemp("exports") / "one"
            done = typed("export", run_folder, *words, "--to", made[words], "--problems", 0)
            assert (done.exit_code, differing(done)) == (0, set()), done.output
        return made[words]

    return export
