import pytest
from pydantic import ValidationError

from tinyreason.data.one_shot import OneShot
from tinyreason.errors import DataError
from tinyreason.sandbox import tasks


@pytest.fixture
def file(jsonl):
    rows = ({"id": id, "problem": f"{id}?", "answer": answer} for id, answer in ((60, "1"), (61, ""), (62, "3")))
    return jsonl(*rows)


def test_an_index_counts_places_from_zero(file):
    [example] = OneShot(file=file, index=2).load()
    assert (example.id, example.problem, example.answer) == ("62", "62?", "3")


def test_an_id_is_the_rows_own_and_may_be_typed_as_a_number(file):
    assert OneShot(file=file, id=62).load() == OneShot(file=file, id="62").load() == OneShot(file=file, index=2).load()


def test_a_sandbox_problem_is_found_by_place_and_by_id():
    texts = [problem.text for problem, _ in zip(tasks.generate("chain", "train", seed=0), range(18), strict=False)]
    [by_index], [by_id] = OneShot(name="sandbox", index=17).load(), OneShot(name="sandbox", id="chain/train/17").load()
    assert by_index == by_id
    assert by_index.problem == texts[17]


def test_exactly_one_of_index_and_id_must_be_given(file):
    with pytest.raises(ValidationError, match=r"neither of data\.index and data\.id are given"):
        OneShot(file=file)
    with pytest.raises(ValidationError, match=r"both of data\.index and data\.id are given"):
        OneShot(file=file, index=0, id="60")
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        OneShot(file=file, index=-1)


def test_a_problem_that_is_not_there_is_answered_with_what_is(file):
    with pytest.raises(DataError, match=r"data.index=3, but rows.jsonl has 3 problems, 0 to 2\.$"):
        OneShot(file=file, index=3).load()
    with pytest.raises(DataError, match=r"rows\.jsonl has no data\.id=63; its ids go from 60 to 62"):
        OneShot(file=file, id="63").load()


def test_a_problem_without_an_answer_cannot_be_trained_on(file):
    with pytest.raises(DataError, match=r"problem 1 of rows\.jsonl has no answer"):
        OneShot(file=file, index=1).load()


def test_the_choice_is_described_in_a_few_words(file):
    assert OneShot(file=file, index=2).describe() == "problem 2 of rows.jsonl"
    assert OneShot(file=file, id="62").describe() == "problem 62 of rows.jsonl"
    assert OneShot(name="sandbox:compare", index=4).describe() == "problem 4 of the sandbox (compare)"


def test_the_papers_pi_1_is_index_124_of_dsr_sub(published):
    [example] = OneShot(file=published("dsr_sub.parquet"), index=124).load()
    assert "wind on a sail" in example.problem
    assert (example.id, example.answer) == ("124", "12.8")
    [copy] = OneShot(file=published("one_shot_pi1_r128.parquet"), index=0).load()
    assert (copy.messages, copy.answer) == (example.messages, example.answer)
