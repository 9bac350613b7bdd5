"""What a person types at `sweep` and reads: mistakes are one sentence before anything is run."""

from pathlib import Path

import pytest
from commands import tinyreason


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["length_gpro", "--rewards", "all"], "did you mean 'length_grpo'"),
        (["length_grpo"], "there is nothing to compare; give --rewards all"),
        (["length_grpo", "--rewards", "all", "--on", "moon"], "no tier 'moon'"),
        (["length_grpo", "--rewards", "hapo_lenght"], "did you mean 'hapo_length'"),
        (["length_grpo", "--vary", "train.kl"], "type it as path.to.key=a,b"),
        (["length_grpo", "--vary", "train.kil=1"], "no option 'train.kil'"),
        (["length_grpo", "--rewards", "all", "--seeds", "0,x"], "--seeds 0,x is neither a count nor a list"),
        (["length_grpo", "--rewards", "all", "--seeds", "0,0"], "--seeds 0,0 is neither a count nor a list"),
        (["length_grpo", "--rewards", "l1_max", "train.max_completion_tokens=40"], "target_tokens=48 is longer"),
        (["length_grpo", "--rewards", "all", "train.max_steps"], "is not an override"),
    ],
)
def test_a_mistake_is_answered_with_one_sentence_and_exit_code_2(words, named, tmp_path):
    done = tinyreason("sweep", *words, "--out", tmp_path / "out", *([] if "--on" in words else ["--on", "sandbox"]))
    assert done.exit_code == 2, done.output
    (line,) = done.stderr.splitlines()
    assert line.startswith("tinyreason: ") and named in line
    assert not (tmp_path / "out").exists()


def test_the_command_is_known_by_its_earlier_name_too_but_listed_once():
    lines = tinyreason("sweep", "--help").stdout.splitlines()
    assert tinyreason("frontier", "--help").stdout.splitlines()[1:-1] == lines[1:-1]
    listed = tinyreason("--help").stdout
    assert "\n  sweep " in listed and "frontier" not in listed


def test_compute_that_differs_is_said():
    from tinyreason.cli.sweep import compute_spent
    from tinyreason.config.recipe import read_recipe
    from tinyreason.pipeline.sweep import sweep_points, sweep_runs

    plan = read_recipe("length_grpo")
    for option, words in (
        ("train.kl=0,1", "10 steps of 64 rollouts per run"),
        ("train.max_steps=3,4", "NOT equal: 3 steps"),
    ):
        found = sweep_points(plan, "sandbox", None, (option,))
        runs = sweep_runs(plan, "sandbox", found, ("train.max_steps=10",), [0], Path("x"))
        assert compute_spent(runs).startswith(words)
