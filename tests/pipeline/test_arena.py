"""A world of the arena, small: equal tokens, what fails stays, a repeat gives the same numbers."""

import json

import pytest
from commands import complaint, tinyreason

from tinyreason.config.worlds import PLAIN
from tinyreason.errors import DataError
from tinyreason.runs.rows import read_row

TINY = (
    *("train.token_budget=1500", "train.rollouts_per_step=16", "train.group_size=4", "data.size=12"),
    *("warmup.train.max_steps=2", "evaluation.problems=6", "evaluation.samples=2"),
)
METHODS = "rloo,pods,dr_grpo"


def arena(out, *words):
    done = tinyreason("arena", *words[:2], *TINY, *words[2:], "--seeds", "1", "--out", out)
    return done


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    out = tmp_path_factory.mktemp("arena") / "hard"
    return arena(out, "run", "hard", "--methods", METHODS), out


def test_every_method_has_a_row_and_those_that_are_plain_training_say_so(done):
    result, out = done
    assert result.exit_code == 0, result.output
    told = json.loads((out / "arena.json").read_text())
    rows = {row["name"]: row for row in told["rows"]}
    assert next(row["name"] for row in told["rows"]) == PLAIN and {*rows} == {PLAIN, *METHODS.split(",")}
    assert rows["dr_grpo"]["said"] == "here it is correctness, value for value"
    assert rows["rloo"]["seeds"] == [0] and rows["rloo"]["said"].startswith("one seed")
    assert told["purpose"] in result.output and "plain training" in result.stdout
    assert (out / "arena.html").exists() and (out / "arena.md").read_text() in result.stdout


def test_all_spend_as_many_tokens_which_are_counted(done):
    _, out = done
    for run in (out / "runs").glob("*-seed0"):
        metrics = [read_row(line) for line in (run / "metrics.jsonl").read_bytes().splitlines()]
        rollouts = [read_row(line) for line in (run / "rollouts.jsonl").read_bytes().splitlines()]
        spent = [row["tokens/spent"] for row in metrics]
        assert sum(spent) >= 1500 > sum(spent[:-1])
        sampled = sum(row["tokens"] for row in rollouts)
        if "pods" in run.name:  # half of what it samples is trained on
            assert sampled < sum(spent) < 2 * sampled
        else:
            assert sum(spent) == 2 * sampled


def test_the_same_line_keeps_what_is_done_and_the_table_is_made_again(done):
    _, out = done
    before = json.loads((out / "arena.json").read_text())
    again = arena(out, "run", "hard", "--methods", METHODS)
    assert "0 to do" in again.output and again.exit_code == 0
    table = arena(out, "table", "hard", "--methods", METHODS, "--json")
    assert json.loads(table.stdout) == before


def test_a_repeat_elsewhere_is_the_same_bit_for_bit(done, tmp_path):
    _, out = done
    assert arena(tmp_path / "again", "run", "hard", "--methods", "rloo").exit_code == 0
    for name in ("metrics.jsonl", "rollouts.jsonl"):
        one, other = (
            [
                {key: value for key, value in json.loads(line).items() if not key.startswith("time/")}
                for line in (place / "runs" / "rloo-seed0" / name).read_text().splitlines()
            ]
            for place in (out, tmp_path / "again")
        )
        assert one == other


def test_what_fails_stays_a_row_with_its_reason_and_the_line_ends_with_2(tmp_path, monkeypatch):
    def fail(config, path, context):
        raise DataError("there is nothing to train on; give more.")

    monkeypatch.setattr("tinyreason.pipeline.run.run", fail)
    result = arena(tmp_path, "run", "hard", "--methods", "rloo")
    rows = {row["name"]: row for row in json.loads((tmp_path / "arena.json").read_text())["rows"]}
    assert result.exit_code == 2 and "2 of 2 runs are not done" in result.output
    assert rows["rloo"]["said"] == "there is nothing to train on; give more." and rows["rloo"]["seeds"] == []


def test_mistakes_are_one_sentence(tmp_path):
    assert "does not enter hard" in complaint("arena", "run", "hard", "--methods", "no", "--out", tmp_path)
    assert "no world 'hrd'" in complaint("arena", "run", "hrd")
    assert "no finished run of hard" in complaint("arena", "table", "hard", "--out", tmp_path / "none")
