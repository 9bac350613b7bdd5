"""An evaluation of a run leaves out what the run was trained on, or says that it could not look."""

import io
import json

import pytest
import yaml
from click.testing import CliRunner
from rich.console import Console as RichConsole

from tinyreason.cli.main import main
from tinyreason.config.recipe import read_recipe
from tinyreason.console import Console
from tinyreason.errors import DataError
from tinyreason.evaluation.benchmarks import BENCHES, read_file
from tinyreason.evaluation.leaks import leave_out_trained
from tinyreason.inference.model_reference import ModelReference


def row(number, word="crates"):
    text = (
        f"A farmer drives to the market with {number * 7 + 3} {word} of apples and sells {number} of them before noon."
    )
    return {"problem": f"{text} How many are left?", "answer": str(number * 6 + 3)}


@pytest.fixture
def run_of(tmp_path):
    """A reference to the adapter of a run with these overrides; nothing is trained."""

    def write(name, *overrides, recipe="rlvr", test=("evaluation.data.name=sandbox",)):
        folder = tmp_path / name
        folder.mkdir()
        config = read_recipe(recipe).resolve("sandbox", (*(test if recipe == "rlvr" else ()), *overrides))
        (folder / "config.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")))
        return ModelReference(name, config.model, folder / "adapter", config)

    return write


def left(sides, benches):
    """(problems of the one bench that are left, what was said)"""
    console = Console(RichConsole(file=io.StringIO(), width=400))
    (found,) = leave_out_trained(sides, benches, console).values()
    return [example.problem for example in found], console.rich.file.getvalue()


@pytest.fixture
def bench(jsonl):
    """A bench of which two problems are leaked by `train`, one by `other`."""
    rows = [row(1), row(2, "boxes"), row(3), *(row(number) for number in range(20, 30))]
    return {"mine": read_file(jsonl(*rows, name="mine.jsonl"))}


def test_what_either_side_was_trained_on_is_left_out_with_the_count_and_the_runs_name(run_of, jsonl, bench):
    train = jsonl(row(1), row(2), name="train.jsonl")
    model = run_of("first", f"data.file={train}", "data.size=null")
    problems, said = left({"model": model}, bench)
    assert problems == [row(number)["problem"] for number in (3, *range(20, 30))]
    assert "leaks     2 of 13 problems of mine are left out: first was trained on 1 whole, 1 nearly" in said
    other = run_of("second", f"data.file={jsonl(row(3), name='other.jsonl')}", "data.size=null")
    problems, said = left({"model": model, "against": other}, bench)
    assert problems == [row(number)["problem"] for number in range(20, 30)]
    assert "1 of 11 problems of mine are left out: second was trained on 1 whole" in said


def test_what_a_run_held_back_from_its_own_file_was_not_trained_on_and_is_asked(run_of, jsonl):
    file = jsonl(*(row(number) for number in range(20)), name="mine.jsonl")
    problems, said = left({"model": run_of("first", f"data.file={file}", test=())}, {"mine": read_file(file)})
    assert len(problems) == 4 and "16 of 20 problems of mine are left out: first was trained on 16 whole" in said


def test_the_base_of_a_run_was_not_trained_on_its_data(run_of, jsonl, bench):
    model = run_of("first", f"data.file={jsonl(row(1), name='train.jsonl')}", "data.size=null")
    assert left({"model": model.base()}, bench) == ([example.problem for example in bench["mine"]], "")


def test_an_adapter_that_started_from_another_runs_was_trained_on_both_sets(run_of, jsonl, bench):
    first = run_of("first", f"data.file={jsonl(row(1), name='one.jsonl')}", "data.size=null")
    data = (f"data.file={jsonl(row(3), name='two.jsonl')}", "data.size=null")
    problems, _ = left({"model": run_of("second", *data, f"adapter.start={first.adapter}")}, bench)
    assert not {row(1)["problem"], row(3)["problem"]} & set(problems) and len(problems) == 11


def test_a_bench_of_nothing_but_training_problems_is_refused(run_of, jsonl):
    file = jsonl(row(1), row(2), name="train.jsonl")
    model = run_of("first", f"data.file={file}", "data.size=null")
    with pytest.raises(DataError, match="first was trained on every problem of mine"):
        left({"model": model}, {"mine": read_file(file)})


def test_data_that_are_gone_are_said_not_to_have_been_searched_and_how_to_look(run_of, jsonl, bench):
    file = jsonl(row(1), name="train.jsonl")
    model = run_of("first", f"data.file={file}", "data.size=null")
    file.unlink()
    problems, said = left({"model": model}, bench)
    assert len(problems) == 13
    assert said.count("\n") == 1 and "not looked for in what first was trained on: train.jsonl cannot be read" in said
    assert "tinyreason audit DATA --against FILE" in said
    lone = ModelReference("lone", model.model, model.adapter.parent.parent / "elsewhere" / "adapter")
    assert "is not a run's folder; where you have it, type: tinyreason audit" in left({"model": lone}, bench)[1]


def test_the_critiques_in_the_run_folder_stand_for_data_that_are_gone(run_of, jsonl, bench):
    file = jsonl(row(1), name="train.jsonl")
    model = run_of(
        "first",
        f"data.file={file}",
        "data.index=0",
        "critiques.teacher={kind: file, file: no.jsonl}",
        recipe="one_shot_cft",
    )
    file.unlink()
    built = row(1) | {"id": "1/0", "prompt": "?", "completion": "Fine.", "critique": "Fine."}
    (model.adapter.parent / "critiques.jsonl").write_text(json.dumps(built) + "\n")
    problems, said = left({"model": model}, bench)
    assert len(problems) == 12 and "first was trained on 1 whole" in said


def test_the_sandboxs_own_benches_are_not_compared_with_its_training(run_of, monkeypatch):
    chain = {"chain": BENCHES["chain"].load(limit=20)}
    with monkeypatch.context() as patch:
        patch.setattr("tinyreason.evaluation.contamination.KnownProblems.likenesses", None)
        assert left({"model": run_of("first")}, chain) == ([example.problem for example in chain["chain"]], "")
    with pytest.raises(DataError, match="second was trained on every problem of chain"):
        left({"model": run_of("second", "data.split=test")}, chain)


def test_the_command_says_it_and_asks_nothing_that_was_trained_on(run_of, jsonl, load, tmp_path):
    train = jsonl(row(1), row(2), name="train.jsonl")
    reference = run_of("first", f"data.file={train}", "data.size=null")
    model, _ = load()
    reference.run.adapter.save(reference.run.adapter.attach(model, 0), reference.adapter)
    (reference.adapter.parent / "result.json").write_text("{}")
    mine = jsonl(row(1), row(2, "boxes"), row(7), name="mine.jsonl")
    words = (
        "eval",
        reference.adapter.parent,
        "--data",
        mine,
        "--samples",
        1,
        "--max-completion-tokens",
        4,
        "--out",
        tmp_path / "e",
    )
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    assert "leaks     2 of 3 problems of mine are left out: first was trained on 1 whole, 1 nearly" in done.output
    (problem,) = [json.loads(line) for line in (tmp_path / "e" / "problems.jsonl").open()]
    assert problem["problem"] == row(7)["problem"]
