"""A file to train on, typed short: what the recipe chose for its own data is not the file's."""

import pytest

from tinyreason.config.recipe import read_recipe


@pytest.fixture
def files(jsonl):
    """One file of each kind, by what it holds."""
    problem = {"problem": "1+1?", "answer": "2"}
    return {
        "problems": jsonl(problem, name="problems.jsonl"),
        "solutions": jsonl(problem | {"completion": "It is 2."}, name="solutions.jsonl"),
        "critiques": jsonl(problem | {"prompt": "Is 3 correct?", "completion": "No."}, name="critiques.jsonl"),
    }


def sandbox(recipe, *overrides):
    return read_recipe(recipe).resolve("sandbox", overrides)


@pytest.mark.parametrize("recipe", ["critique_ft", "one_shot_cft"])
def test_a_file_of_critiques_takes_the_place_of_those_that_would_be_built(files, recipe):
    config = sandbox(recipe, f"data.file={files['critiques']}")
    assert (config.data.kind, config.data.file, config.data.size) == ("critiques", files["critiques"], None)
    assert config.critiques is None
    assert (config.evaluation.data.kind, config.evaluation.data.name) == ("problems", "sandbox")


def test_a_file_of_problems_still_has_critiques_built_of_it(files):
    config = sandbox("critique_ft", f"data.file={files['problems']}")
    assert config.critiques and (config.data.kind, config.data.size) == ("problems", None)
    own = sandbox("critique_ft", f"data.file={files['critiques']}", "data.kind=problems")
    assert own.critiques and own.data.kind == "problems"


def test_a_file_of_solutions_sets_its_own_size_and_a_share_of_it_is_the_test(files):
    file = f"data.file={files['solutions']}"
    config = sandbox("reasoning_sft", file)
    assert (config.data.size, config.evaluation.data) == (None, None)
    assert sandbox("reasoning_sft", file, "data.size=1").data.size == 1
    own = sandbox("reasoning_sft", file, "evaluation.data.file=test.jsonl")
    assert (own.data.size, own.evaluation.data.file.name, own.evaluation.data.kind) == (None, "test.jsonl", "problems")


def test_another_model_that_learns_from_critiques_is_not_asked_the_sandbox(files, tmp_path):
    config = sandbox("critique_ft", f"data.file={files['critiques']}", f"model.name={tmp_path}", "prompt=boxed")
    assert config.evaluation.data is None


def test_the_recipes_size_is_not_that_of_a_file(files):
    file = f"data.file={files['problems']}"
    assert sandbox("rlvr", file).data.size is None
    assert sandbox("rlvr", file, "evaluation.data.file=test.jsonl").data.size is None
    assert read_recipe("reasoning_sft").resolve("t4", (file,)).data.size is None
    assert sandbox("one_shot_rlvr", file, "data.index=0").evaluation.data is None


def test_a_file_that_is_not_there_is_left_to_who_reads_it(files):
    assert sandbox("critique_ft", "data.file=none.jsonl").data.file.name == "none.jsonl"
