"""A stranger's reward file trains, is copied and resumed with; one that is broken is refused before the baseline."""

import json
import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from tinyreason import load_recipe, run
from tinyreason.cli.main import main
from tinyreason.errors import Stopped
from tinyreason.own_code import reference
from tinyreason.own_code.process import _RUNNING

REWARD = '''"""Correct answers earn 1, and brief ones a little more."""

PRICE = 0.001


def reward(completions, answers, *, correct, lengths, price=PRICE, **meta):
    earned = []
    for is_correct, length in zip(correct, lengths):
        earned.append(float(bool(is_correct)) - price * length)
    return earned


def advantage(rewards, group_size, **meta):
    mean = sum(rewards) / len(rewards)
    return [reward - mean for reward in rewards]
'''
RECIPE = """\
extends: one_shot_rlvr
rewards: [{kind: ./mine.py:reward, price: 0.002, time_limit_s: 1}]
advantage: {kind: ./mine.py:advantage}
train: {max_steps: 2, rollouts_per_step: 8, group_size: 8, max_completion_tokens: 16}
evaluation: {problems: 4, samples: 1, template_check: false}
validation: null
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the reward and a recipe that names it; nothing is allowed yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reference, "ALLOWED", set())
    monkeypatch.setattr("tinyreason.own_code.leaf.ALLOWED", reference.ALLOWED)
    (tmp_path / "mine.py").write_text(REWARD)
    (tmp_path / "mine.yaml").write_text(RECIPE)
    return tmp_path


def typed(*words):
    """Types a command in a process of its own, as far as what is allowed goes."""
    reference.ALLOWED.clear()
    return CliRunner().invoke(main, words, prog_name="tinyreason")


def recipe(*words):
    return typed("recipe", "mine.yaml", "--on", "sandbox", "--out", "run", *words)


def begun_again(folder):
    """Makes a finished run one that was interrupted after its last step."""
    (folder / "run" / "result.json").unlink()


def test_a_recipe_that_names_a_file_trains_once_it_is_allowed_and_is_resumed_with_what_it_was_begun_with(folder):
    refused = recipe()
    assert refused.exit_code == 2 and "read that file, and if you trust it, add --allow-code" in refused.output
    assert not (folder / "run").exists()
    shaped = "advantage: [{kind: ./mine.py:advantage}, {kind: rl_zvp, alpha: 0}]"  # which changes nothing here
    (folder / "mine.yaml").write_text(RECIPE.replace("advantage: {kind: ./mine.py:advantage}", shaped))
    done = recipe("--allow-code")
    assert done.exit_code == 0, done.output
    assert "tried   mine.py:reward on 10 sampled completions" in done.output
    assert "tried   mine.py:advantage on 10" in done.output
    run = folder / "run"
    assert (run / "code" / "mine.py").read_text() == REWARD
    rows = [json.loads(line) for line in (run / "rollouts.jsonl").open()]
    assert len(rows) == 16 and all(row["rewards"]["mine.py:reward"] <= 1 for row in rows)
    assert sum(row["advantage"] for row in rows[:8]) == pytest.approx(0, abs=1e-5)
    assert str(folder) not in (run / "config.yaml").read_text()
    assert not _RUNNING  # no process is left

    begun_again(folder)
    resumed = recipe()  # the run folder has the consent
    assert resumed.exit_code == 0 and "resuming after step 2 of 2" in resumed.output, resumed.output

    (folder / "mine.py").rename(folder / "gone.py")
    shown = recipe()  # a result is shown wherever it is
    assert shown.exit_code == 0 and "this run is finished" in shown.output, shown.output
    begun_again(folder)
    assert "there is no file mine.py" in recipe().output
    (folder / "gone.py").rename(folder / "mine.py")
    assert recipe().exit_code == 0

    (folder / "mine.py").write_text(REWARD.replace("0.001", "0.002"))
    assert "is finished, and mine.py has changed since" in recipe("--allow-code").output
    begun_again(folder)
    assert "add --allow-code" in recipe("--accept-changes").output
    changed = recipe("--allow-code")
    assert changed.exit_code == 2 and "the file of mine.py:reward" in changed.output
    accepted = recipe("--allow-code", "--accept-changes")
    assert accepted.exit_code == 0 and "not bit-exact" in accepted.output, accepted.output
    assert len([*(run / "code").iterdir()]) == 2
    assert (run / "code" / "mine.py").read_text() == REWARD


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return [1 / 0 for _ in completions]", "mine.py:reward line 7: ZeroDivisionError: division by zero"),
        ("while True: pass", "mine.py:reward line 7: it took longer than its time limit of 1 s"),
        ("return [1.0]", "mine.py:reward (line 6) returned 1 numbers for 10 completions"),
        ("return [float('nan')] * 10", "mine.py:reward (line 6) returned nan for completion 1 of 10"),
    ],
    ids=["raises", "hangs", "few", "nan"],
)
def test_a_reward_that_is_broken_is_refused_with_its_line_before_the_baseline(body, words, folder):
    head = REWARD.partition("    earned = []")[0]
    (folder / "mine.py").write_text(f"{head}    {body}\n\n\ndef advantage(rewards, group_size):\n    return rewards\n")
    done = recipe("--allow-code")
    assert done.exit_code == 2 and words in done.output, done.output
    assert "measuring the baseline" not in done.output and not (folder / "run").exists()


def test_an_advantage_for_each_token_is_refused_before_the_baseline_where_rollouts_are_weighed_whole(folder):
    tokens = "def advantage(rewards, group_size, **meta):\n    return [[1.0, 2.0] for _ in rewards]\n"
    (folder / "mine.py").write_text(REWARD.partition("def advantage")[0] + tokens)
    done = recipe("--allow-code", "train.loss=luspo")
    assert done.exit_code == 2 and "type train.importance_sampling_level=token train.loss=grpo" in done.output
    assert "measuring the baseline" not in done.output and not (folder / "run").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import no_such_module_here\n", "line 1: ModuleNotFoundError"),
        ("raise RuntimeError('no')\n", "line 1: RuntimeError: no"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_refused_before_the_model_is(text, words, folder):
    (folder / "mine.py").write_text(text + REWARD.partition('"""\n')[2])
    done = recipe("--allow-code")
    assert done.exit_code == 2 and words in done.output and "engine" not in done.output, done.output


def test_what_trains_nothing_runs_no_code(folder):
    (folder / "mine.py").write_text(f"open('ran', 'w')\n{REWARD}")
    (folder / "data.yaml").write_text(RECIPE + "data: {kind: ./mine.py:advantage}\n")
    for command in ("check", "show", "preview", "plan"):
        done = typed(command, "mine.yaml", "--on", "sandbox")
        assert done.exit_code == 0, done.output
    assert "needs --allow-code" in typed("check", "mine.yaml", "--on", "sandbox").output
    for command, code in (("check", 0), ("plan", 0), ("preview", 2), ("dry-run", 2), ("recipe", 2), ("bench", 2)):
        done = typed(command, "data.yaml", "--on", "sandbox")
        assert done.exit_code == code and (code == 0 or "add --allow-code" in done.output), done.output
    assert not (folder / "ran").exists() and not (folder / "runs").exists()


def test_what_goes_wrong_on_the_way_says_the_step_and_how_to_resume(folder):
    file = folder / "mine.py"
    file.write_text(REWARD.replace("    earned = []", "    earned = [] if meta['step'] < 2 else None"))
    done = recipe("--allow-code")
    assert done.exit_code == 2 and re.search(r"at step 2 \(correct the file.*mine.py:reward line 9: Attr", done.output)
    file.write_text(REWARD)
    resumed = recipe("--allow-code", "--accept-changes")
    assert resumed.exit_code == 0 and "resuming after step 1 of 2" in resumed.output, resumed.output


def test_the_config_that_a_run_leaves_says_what_its_code_was(folder):
    values = yaml.safe_load(RECIPE) | {"data": {"kind": "./rows.py:rows", "count": 40}}
    (folder / "rows.py").write_text(
        "def rows(count):\n    return [{'problem': f'What is {n} + 1?', 'answer': n + 1} for n in range(count)]\n"
    )
    (folder / "mine.yaml").write_text(yaml.safe_dump(values))
    done = recipe("--allow-code")
    assert done.exit_code == 0, done.output
    kept = yaml.safe_load((folder / "run" / "config.yaml").read_text())
    assert kept["data"]["kind"] == "rows.py:rows" and kept["data"]["options"] == {"count": 40}
    assert {file.name for file in (folder / "run" / "code").iterdir()} == {"mine.py", "rows.py"}


SAMPLER = """
from tinyreason.algorithms.samplers._sampler import Sampler


class Next(Sampler):
    def choose(self, examples, count, rng, store):
        return [(store.get("next", "seen", 0) + turn) % len(examples) for turn in range(count)]

    def observe(self, batch, advantages, store):
        store.put("next", "seen", store.get("next", "seen", 0) + len(batch.examples) // batch.group_size)

    def metrics(self, store):
        return {"seen": store.get("next", "seen", 0)}
"""


def test_a_run_with_a_sampler_of_ones_own_ends_the_same_where_it_was_stopped_and_resumed(folder):
    (folder / "mine.py").write_text(SAMPLER)
    small = {"max_steps": 3, "rollouts_per_step": 8, "group_size": 4, "max_completion_tokens": 16}
    config = load_recipe(
        "rlvr",
        "sandbox",
        ["samplers=[{kind: ./mine.py:Next}]", "evaluation={problems: 4, samples: 1, template_check: false}"]
        + [f"train.{name}={value}" for name, value in small.items()],
    )
    run(config, "whole")
    with pytest.raises(Stopped):
        run(config, "stopped", callbacks=lambda step, metrics: step == 1)
    run(config, "stopped")
    whole, stopped = (Path(name, "rollouts.jsonl").read_text() for name in ("whole", "stopped"))
    assert whole == stopped
    assert [*dict.fromkeys(json.loads(line)["problem_id"] for line in whole.splitlines())] == [
        f"chain/train/{place}" for place in range(6)
    ]
    metrics = [json.loads(line) for line in Path("stopped", "metrics.jsonl").read_text().splitlines()]
    assert [line["sampler/seen"] for line in metrics] == [2, 4, 6]
    assert Path("stopped", "code", "mine.py").read_text() == SAMPLER
