"""What a person with two cards, a small one or an old one reads first, and which card the run is left with."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner
from fake_driver import install, uuid
from sessions import context_of, said

import tinyreason
from tinyreason.cli.main import main
from tinyreason.cli.train_output import announce
from tinyreason.config.recipe import read_recipe
from tinyreason.models.hardware import choose_tier, take_card

QUICK = (
    *("train.max_steps=1", "train.rollouts_per_step=8", "train.max_completion_tokens=32"),
    *("evaluation.problems=4", "evaluation.samples=1", "validation=null"),
)


def first_lines() -> list[str]:
    """The first lines of a run on this machine."""
    recipe, card = read_recipe("one_shot_rlvr"), take_card()
    tier, reason = choose_tier(recipe.tiers, card)
    config = recipe.resolve(tier, (f"model.name={tinyreason.__path__[0]}/sandbox/base",))
    context = context_of(config, card=card, reason=reason)
    announce(context, config, "runs/x")
    return said(context).splitlines()


def test_the_first_lines_name_the_card_that_idles(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, "T4", "T4")
    lines = first_lines()
    assert lines[0] == "tier    t4 (Tesla T4, 15 GB)"
    assert "        Tesla T4 idles: a run computes on one card, which CUDA_VISIBLE_DEVICES chooses" in lines[:6]


@pytest.mark.parametrize(("card", "reason"), [("GT 1030", "has 2 GB"), ("M40", "(5.2) is older than")])
def test_a_run_on_the_cpu_beside_a_card_says_why_in_its_first_line(tmp_path, monkeypatch, card, reason):
    install(tmp_path, monkeypatch, card)
    out = tmp_path / "run"
    done = CliRunner().invoke(main, ["recipe", "one_shot_rlvr", *QUICK, "--out", str(out)])
    assert done.exit_code == 0, done.output
    first = done.output.splitlines()[0]
    assert first.startswith("tier    sandbox (") and reason in first and "runs on the CPU" in first
    assert "no CUDA GPU found" not in first
    shown = CliRunner().invoke(main, ["show", "one_shot_rlvr"])
    assert reason in shown.stderr and reason not in shown.stdout


def test_other_cards_are_hidden_before_torch_is_imported(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, "GT 1030", "3090")
    code = """
import os, runpy, sys
sys.argv = ["tinyreason", "recipe", "one_shot_rlvr", "model.name=nobody/nothing"]
try:
    runpy.run_module("tinyreason", run_name="__main__")
except SystemExit as end:
    print(end.code, os.environ["CUDA_VISIBLE_DEVICES"], "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2", uuid(1), "False"], done.stderr


def test_from_python_the_tier_is_said_and_the_other_cards_are_hidden(tmp_path, monkeypatch, capsys):
    install(tmp_path, monkeypatch, "GT 1030", "3060")
    config = tinyreason.load_recipe("rlvr", overrides=["model.name=nobody/nothing"])
    assert config.tier == "t4" and "tier    t4 (NVIDIA GeForce RTX 3060, 12 GB)" in capsys.readouterr().out
    with pytest.raises(OSError, match="nobody/nothing"):
        tinyreason.run(config, tmp_path / "run")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == uuid(1)
