"""Runs and evaluations compared on the problems they share."""

import io
import json
from statistics import mean

import pytest
import yaml
from rich.console import Console as RichConsole

from tinyreason.cli.evaluation_output import show_comparison
from tinyreason.config.recipe import read_recipe
from tinyreason.console import Console
from tinyreason.errors import FolderError
from tinyreason.evaluation.compare import compare_folders
from tinyreason.intervals import paired_gain


def completion(correct, tokens=10):
    text = f"\\boxed{{{int(correct)}}}"
    return {"text": text, "tokens": tokens, "truncated": False, "correct": correct, "extracted": None}


@pytest.fixture
def run_of(tmp_path):
    """The folder of a finished run, from the shares of correct completions to each problem."""

    def write(name, shares, samples=4, **changes):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        config = read_recipe("one_shot_rlvr").resolve("sandbox").model_dump(mode="json")
        config["evaluation"] |= changes
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        rows = [
            {
                "id": id,
                "problem": id,
                "answer": "1",
                "accuracy": share,
                "replies": [completion(n < share * samples) for n in range(samples)],
            }
            for id, share in shares.items()
        ]
        (folder / "evaluation.json").write_text(json.dumps({"before": rows, "after": rows}))
        (folder / "result.json").write_text("{}")
        return folder

    return write


@pytest.fixture
def eval_of(tmp_path):
    """The folder of a finished evaluation: bench → problem → share; `otherwise`: bench → marks without a template."""

    def write(name, benches, finished=True, otherwise=None, sides=("model",)):
        folder = tmp_path / name
        folder.mkdir()
        sampling = {
            "temperature": 1.0,
            "top_p": 1.0,
            "max_completion_tokens": 128,
            "prompt": "plain",
            "template": "chat",
        }
        (folder / "settings.json").write_text(json.dumps({"sampling": sampling}))
        problems, samples = [], []
        for bench, shares in benches.items():
            for id, share in shares.items():
                problems.append({"bench": bench, "id": f"#{id}", "problem": id, "answer": "1", "groups": {}})
                for side, accuracy in (("model", share), ("against", 0.0)):
                    key = {"side": side, "bench": bench, "id": f"#{id}"}
                    samples += [key | {"sample": n} | completion(n < 4 * accuracy) for n in range(4)]
        for file, rows in (("problems.jsonl", problems), ("samples.jsonl", samples)):
            (folder / file).write_text("".join(json.dumps(row) + "\n" for row in rows))
        found = {"sides": dict.fromkeys(sides, "x"), "benches": {}}
        for bench, correct in (otherwise or {}).items():
            asked = [float(share >= 0.25) for share in benches[bench].values()][: len(correct)]
            way = {"template": "none", "prompt": "plain", "accuracy": mean(map(int, correct)), "correct": correct}
            way |= paired_gain(asked, [float(mark) for mark in correct])
            check = {"problems": len(correct), "asked": mean(asked), "others": [way]}
            found["benches"][bench] = {"template_check": check}
        if finished:
            (folder / "eval.json").write_text(json.dumps(found))
        return folder

    return write


EASY = {f"p{n}": 0.25 for n in range(20)}
HARD = {f"p{n}": 0.75 for n in range(10, 40)}


def test_two_runs_are_paired_on_the_problems_both_were_asked(run_of):
    (row,) = compare_folders([run_of("first", EASY), run_of("second", HARD)])
    assert (row.first, row.other, row.problems, row.left_out) == ("first", "second", 10, [10, 20])
    assert row.accuracy == [0.25, 0.75]
    assert row.gain.points == pytest.approx(50)
    assert row.verdict == "improved"
    assert row.asked_otherwise == []


def test_improved_is_not_said_of_two_common_problems(run_of):
    (row,) = compare_folders([run_of("first", EASY), run_of("second", {"p1": 1.0, "p2": 1.0})])
    assert row.gain.points == pytest.approx(75)
    assert row.verdict == "cannot tell"


def test_an_evaluation_is_its_own_side_and_is_compared_bench_by_bench(run_of, eval_of):
    folders = [eval_of("evaluation", {"one": EASY, "two": {"q": 1.0}, "three": {"p30": 0.0}}), run_of("run", HARD)]
    rows = compare_folders(folders)
    assert [(row.bench, row.problems, row.accuracy) for row in rows] == [
        ("one", 10, [0.25, 0.75]),
        ("three", 1, [0.0, 0.75]),
    ]


def test_settings_that_differ_are_named(run_of):
    (row,) = compare_folders([run_of("first", EASY), run_of("second", EASY, temperature=0.5)])
    assert row.asked_otherwise == ["temperature 1.0 and 0.5"]


def test_the_best_of_many_is_certified_only_where_it_holds_for_all_comparisons_together(run_of):
    first = {f"p{n}": 0.0 for n in range(40)}
    lucky = {f"p{n}": float(n < 7) for n in range(40)}  # p 0.016
    strong = {f"p{n}": float(n < 20) for n in range(40)}
    folders = [run_of("first", first), run_of("lucky", lucky), run_of("strong", strong)]
    folders += [run_of(f"same{n}", first) for n in range(2)]
    (alone,) = compare_folders(folders[:2])
    assert (alone.verdict, alone.comparisons) == ("improved", 1)
    among = {row.other: row for row in compare_folders(folders)}
    assert {name: row.verdict for name, row in among.items()} == {
        "lucky": "cannot tell",
        "strong": "improved",
        "same0": "cannot tell",
        "same1": "cannot tell",
    }
    assert among["lucky"].gain == alone.gain
    console = Console(RichConsole(file=io.StringIO(), width=400))
    show_comparison(console, list(among.values()))
    assert "verdicts  allow for 4 comparisons" in console.rich.file.getvalue()


BADLY_ASKED = {f"p{n}": float(n < 8) for n in range(64)}
WITHOUT_TEMPLATE = "1" * 40 + "0" * 24


@pytest.mark.parametrize(
    ("solved", "verdict"),
    [(41, "cannot tell"), (64, "improved")],  # as good as the base without its template; better than that too
)
def test_a_gain_over_a_base_asked_badly_must_be_over_its_best_way_whichever_comes_first(
    run_of, eval_of, solved, verdict
):
    base = eval_of("base", {"one": BADLY_ASKED}, otherwise={"one": WITHOUT_TEMPLATE})
    trained = run_of("trained", {f"p{n}": float(n < solved) for n in range(64)})
    (row,) = compare_folders([base, trained])
    assert (row.verdict, bool(row.verdict_reason)) == (verdict, verdict == "cannot tell")
    (turned,) = compare_folders([trained, base])
    assert turned.verdict == ("worse" if verdict == "improved" else "cannot tell")
    assert turned.verdict_reason == row.verdict_reason
    if row.verdict_reason:
        assert row.verdict_reason.startswith("the base is correct on 62% of 64 problems when asked with template none")
        console = Console(RichConsole(file=io.StringIO(), width=400))
        show_comparison(console, [row])
        assert "\nwhy       the base is correct on 62% of 64 problems" in console.rich.file.getvalue()


def test_the_rule_of_the_template_is_of_the_base_that_is_compared(run_of, eval_of):
    trained = run_of("trained", {f"p{n}": float(n < 41) for n in range(64)})
    both = eval_of("both", {"one": BADLY_ASKED}, otherwise={"one": WITHOUT_TEMPLATE}, sides=("model", "against"))
    (row,) = compare_folders([both, trained])  # the check is of `against`, which is not compared
    assert row.verdict == "improved"
    fine = eval_of("fine", {"one": BADLY_ASKED}, otherwise={"one": "1" * 10 + "0" * 54})
    (row,) = compare_folders([fine, trained])
    assert row.verdict == "improved"
    others = {f"q{n}": 1.0 for n in range(20)}
    bad = eval_of("bad", {"one": BADLY_ASKED | dict.fromkeys(others, 0.0)}, otherwise={"one": WITHOUT_TEMPLATE})
    (row,) = compare_folders([bad, run_of("elsewhere", others)])  # none of the problems that were asked otherwise
    assert row.verdict == "cannot tell" and row.verdict_reason.endswith("None of these problems is compared here")


def test_runs_without_a_common_problem_are_refused(run_of):
    with pytest.raises(FolderError, match="first and second have no problem in common"):
        compare_folders([run_of("first", EASY), run_of("second", {"other": 1.0})])


def test_what_is_not_a_finished_run_or_evaluation_is_refused(run_of, eval_of, tmp_path):
    fine, going = run_of("fine", EASY), run_of("going", EASY)
    (going / "result.json").unlink()
    broken = run_of("broken", EASY)
    (broken / "evaluation.json").write_text('{"after": [{"id": 1}]}')
    odd = run_of("odd", EASY)
    (odd / "config.yaml").write_text("- 1")
    (tmp_path / "empty").mkdir()
    for folder, words in (
        (going, "still going, or it was stopped"),
        (broken, "does not hold problems"),
        (odd, "the run is broken"),
        (tmp_path / "empty", "neither a run nor an evaluation"),
        (tmp_path / "nowhere", "there is no folder"),
        (eval_of("unfinished", {"one": EASY}, finished=False), "still going, or was stopped"),
    ):
        with pytest.raises(FolderError, match=words):
            compare_folders([fine, folder])
