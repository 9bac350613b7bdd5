"""Benchmarks: every published gold answer grades itself correct but those that the bench names, with the reason."""

from collections import Counter

import pytest

from tinyreason.errors import ConfigError, DataError
from tinyreason.evaluation.benchmarks import BENCHES, find_bench, read_file, read_test, read_training
from tinyreason.grading.answers import gold_text
from tinyreason.grading.grader import Grader

FILES = {
    "gsm8k": ("gsm8k_test.jsonl", 1319),
    "math500": ("math500.jsonl", 500),
    "aime24": ("aime24.jsonl", 30),
    "aime25": ("aime25.jsonl", 30),
    "amc23": ("amc23.jsonl", 40),
    "minerva": ("minerva_math.jsonl", 272),
    "olympiadbench": ("olympiadbench.jsonl", 675),
}


@pytest.fixture(scope="module")
def grader():
    with Grader(timeout_s=20) as patient:
        yield patient


@pytest.mark.parametrize("name", FILES)
def test_every_gold_answer_grades_itself_correct_but_those_named(name, shared_data, grader):
    file, count = FILES[name]
    examples = BENCHES[name].load(shared_data / file)
    assert len({example.id for example in examples}) == len(examples) == count
    fine = grader.check_gold(examples)
    failed = {gold_text(example.answer) for example, is_fine in zip(examples, fine, strict=True) if not is_fine}
    assert failed == set(BENCHES[name].ungradable)


@pytest.mark.parametrize("name", ["chain", "long_chain", "compare"])
def test_a_sandbox_family_gives_unseen_problems_with_gradable_answers(name, grader):
    examples = BENCHES[name].load(limit=20)
    assert [example.id for example in examples] == [f"{name}/test/{n}" for n in range(20)]
    assert all(grader.check_gold(examples))
    assert all(example.meta["level"].endswith("steps") for example in examples)


def test_math500_knows_its_levels_and_subjects(shared_data):
    examples = BENCHES["math500"].load(shared_data / "math500.jsonl")
    assert Counter(e.meta["level"] for e in examples) == {"1": 43, "2": 90, "3": 105, "4": 128, "5": 134}
    assert len({e.meta["subject"] for e in examples}) == 7


def test_another_benchmarks_file_is_refused_with_its_columns(shared_data):
    with pytest.raises(DataError, match=r"math500.jsonl is not this benchmark.* question, and it has problem,"):
        BENCHES["gsm8k"].load(shared_data / "math500.jsonl")


def test_a_file_with_other_columns_is_refused(jsonl):
    with pytest.raises(DataError, match="column problem or question, and it has a;"):
        BENCHES["amc23"].load(jsonl({"a": 1}))


def test_an_unknown_bench_is_answered_with_the_nearest_and_the_list():
    with pytest.raises(ConfigError, match=r"did you mean 'math500'\? Allowed: aime24, .* olympiadbench"):
        find_bench("math-500")


def test_any_file_of_problems_and_answers_can_be_asked(jsonl):
    file = jsonl({"question": "1+1?", "answer": 2, "level": 3}, {"question": "1+2?", "answer": 3, "level": 1})
    assert [(e.problem, e.answer, e.meta) for e in read_file(file)] == [
        ("1+1?", "2", {"level": "3"}),
        ("1+2?", "3", {"level": "1"}),
    ]
    assert len(read_file(file, limit=1)) == 1
    assert [e.problem for e in read_test(str(file))] == ["1+1?", "1+2?"]


def test_training_data_is_a_file_or_a_sandbox_family_or_on_the_hub(jsonl):
    assert len(read_training("sandbox:compare", "train", None)) == 2000
    assert len(read_training(str(jsonl({"question": "1+1?", "answer": 2})), "train", None)) == 1
    with pytest.raises(DataError, match="there is no file nothing"):
        read_training("nothing", "train", None)
    with pytest.raises(ConfigError, match="did you mean 'compare'"):
        read_training("sandbox:compar", "train", None)
