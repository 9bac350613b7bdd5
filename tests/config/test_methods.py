"""`tinyreason methods`: all that is said of a method is read where it stands."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tinyreason.cli.main import main
from tinyreason.config import methods as module
from tinyreason.config.methods import FAMILIES, methods

RESULTS = Path(__file__).parents[2] / "docs" / "results.md"


def listed(*words):
    done = CliRunner().invoke(main, ["methods", *words])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_vote_has_what_was_measured_of_it():
    assert all(one.measured[0].what.startswith("seed 0") for one in methods("votes"))


def test_every_method_is_listed_with_an_idea_and_its_options():
    found = methods()
    assert {(one.family, one.name) for one in found} == {(name, kind) for name in FAMILIES for kind in FAMILIES[name]}
    assert all(re.fullmatch(r"[A-Z].+\.", one.idea) for one in found)
    assert all(option.help for one in found for option in one.options)


def test_what_is_told_of_a_method_is_what_its_file_says():
    (alp,) = (one for one in methods("rewards") if one.name == "alp_length")
    assert alp.papers == ["https://arxiv.org/abs/2506.05256"]
    assert (alp.options[0].name, alp.options[0].default) == ("beta", 1e-7)
    assert alp.needs == ["graded completions, so gold answers", "groups of completions to a problem"]
    needs = {(one.family, one.name): one.needs for one in methods()}
    assert needs["rewards", "random"] == needs["rewards", "format"] == needs["rewards", "soft_overlong"] == []
    assert "graded completions, so gold answers" in needs["samplers", "mopps"]
    assert "graded completions, so gold answers" not in needs["samplers", "pods"]
    assert "problems that come back" in needs["rewards", "hapo_length"]
    assert needs["teachers", "oracle"] == [] and "model to be given" in needs["teachers", "openai"]


def test_every_figure_stands_in_a_recipe_or_in_the_results():
    text, recipes = (
        RESULTS.read_text(encoding="utf-8"),
        [file.read_text() for file in module.PACKAGE.parent.glob("recipes/*.yaml")],
    )
    measured = [one for method in methods() for one in method.measured]
    assert len(measured) > 40
    for one in measured:
        if one.where.startswith("recipe "):
            assert any(one.what in recipe for recipe in recipes), one
        elif one.where.startswith("leaderboard, "):
            board = (module.LEADERBOARD.parent / "leaderboard.md").read_text(encoding="utf-8")
            (less,) = re.findall(r"points (.+\])", one.what)
            assert f"## {one.where.partition(', ')[2]}\n" in board and less in board
        else:
            assert f"# {one.where.partition(', ')[2]}\n" in text
            assert all(number in text for number in re.findall(r"\d[\d.,]*\d", one.what)), one


def test_a_method_that_nobody_measured_says_so(monkeypatch):
    assert "measured: not measured" in listed("--family", "teachers")
    monkeypatch.setattr(module, "RESULTS", None)  # as in a package without the page
    module.measurements.cache_clear()
    assert "recipe length_grpo" in listed("--family", "rewards")
    module.measurements.cache_clear()


def test_one_family_and_json():
    found = json.loads(listed("--family", "advantages", "--json"))
    assert [one["name"] for one in found] == list(FAMILIES["advantages"])
    (gfpo,) = (one for one in found if one["name"] == "gfpo")
    assert gfpo["options"][0] | {"help": ""} == {"name": "keep", "default": 4, "is_needed": False, "help": ""}
    assert json.loads(listed("--json"))[0]["family"] == "rewards"


def test_an_unknown_family_is_one_sentence():
    done = CliRunner().invoke(main, ["methods", "--family", "reward"])
    assert done.exit_code == 2 and "did you mean 'rewards'" in done.output


@pytest.mark.parametrize("words", [["methods"], ["methods", "--json"]])
def test_it_imports_nothing_heavy(words):
    code = f"import sys; from tinyreason.cli.main import main; main({words}, standalone_mode=False); "
    code += "print(*({'torch', 'transformers', 'datasets', 'pandas', 'httpx'} & set(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout and done.stderr.split() == []
