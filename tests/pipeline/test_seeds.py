"""A recipe with several seeds: a run for each, which the same command resumes, and one verdict over all."""

import json
import shutil
from statistics import mean

import pytest
from commands import tinyreason

QUICK = (
    *("train.max_steps=1", "train.rollouts_per_step=16", "data.size=8", "evaluation.problems=8"),
    *("evaluation.samples=2", "train.max_completion_tokens=32", "evaluation.max_completion_tokens=32"),
)


def run(out, *words):
    return tinyreason("recipe", "rlvr", *QUICK, "--on", "sandbox", "--out", out, *words)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "both"
    done = run(out, "--seeds", "2")
    assert done.exit_code == 0, done.output
    return out, done.stdout


def test_each_seed_is_a_whole_run_and_the_end_is_a_table_and_one_gain(finished):
    out, said = finished
    result = json.loads((out / "seeds.json").read_text())
    own = [json.loads((out / f"seed{seed}" / "result.json").read_text()) for seed in (0, 1)]
    assert [row["seed"] for row in result["runs"]] == result["asked"] == [one["seed"] for one in own] == [0, 1]
    assert result["gain"]["points"] == pytest.approx(mean(one["gain"]["points"] for one in own))
    assert result["after"]["accuracy"] == pytest.approx(mean(one["after"]["accuracy"] for one in own))
    assert "over 2 seeds; 95 % intervals have both problems and seeds in them" in said
    assert said.count("accuracy ") == 3 and "seed 1, run 2 of 2" in said


def test_the_report_tells_the_whole_first_and_then_each_seed(finished):
    out, _ = finished
    page = (out / "report.html").read_text()
    places = [page.index(text) for text in ("rlvr · sandbox · 2 seeds", "</span>seed0</th>", "</span>seed1</th>")]
    assert places == sorted(places)


def test_the_same_command_keeps_what_is_done_and_a_further_seed_is_added(finished):
    out, _ = finished
    kept = (out / "seed1" / "metrics.jsonl").stat()
    done = run(out, "--seeds", "0,1,4")
    assert done.exit_code == 0 and done.stdout.count("this run is finished") == 2
    assert (out / "seed1" / "metrics.jsonl").stat() == kept
    assert [row["seed"] for row in json.loads((out / "seeds.json").read_text())["runs"]] == [0, 1, 4]


def test_a_seed_that_was_resumed_otherwise_is_told_of_all(finished, tmp_path):
    out = shutil.copytree(finished[0], tmp_path / "out")
    assert "bit_exact" not in json.loads((out / "seeds.json").read_text())
    file = out / "seed1" / "result.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"bit_exact": False, "changes": ["trl is 1 there"]}))
    done = run(out, "--seeds", "2")
    found = json.loads((out / "seeds.json").read_text())
    assert (found["bit_exact"], found["changes"]) == (False, ["seed 1: trl is 1 there"])
    assert "not bit-exact, as it was resumed otherwise than begun: seed 1: trl is 1 there" in done.stdout
    assert "resumed otherwise than it was begun, as seed 1: trl is 1 there" in (out / "report.html").read_text()


def test_several_seeds_are_compared_seed_by_seed(finished):
    out, _ = finished
    (row,) = json.loads(tinyreason("compare", out, out, "--json").stdout)
    assert row["seeds"] >= 2 and row["gain"]["points"] == 0 and row["verdict"] == "cannot tell"
    (row,) = json.loads(tinyreason("compare", out / "seed0", out, "--json").stdout)
    assert row["seeds"] >= 2


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--seeds", "0"], "--seeds 0 is neither a count nor a list of different numbers"),
        (["--seeds", "1,1"], "--seeds 1,1 is neither a count nor a list of different numbers"),
        (["--seeds", "2", "--seed", "1"], "--seed and --seeds are both given; leave one out"),
        (["--seeds", "2", "--verify-resume"], "--verify-resume is of one run"),
    ],
)
def test_options_that_do_not_go_together_are_one_sentence(words, named, tmp_path):
    done = run(tmp_path / "out", *words)
    assert done.exit_code == 2 and named in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_of_one_seed_takes_no_other_and_a_folder_of_several_is_not_a_model(finished):
    out, _ = finished
    done = run(out / "seed0", "--seeds", "2")
    assert done.exit_code == 2 and "holds a run of one seed" in done.stderr
    done = tinyreason("eval", out, "--bench", "chain")
    assert done.exit_code == 2 and "holds the runs of several seeds; give one of them:" in done.stderr
    assert str(out / "seed0") in done.stderr
