import pytest
from pydantic import ValidationError

from tinyreason.data.problems import Problems
from tinyreason.errors import DataError
from tinyreason.sandbox import tasks


def ids(examples):
    return {example.id for example in examples}


@pytest.fixture
def twenty(jsonl):
    return Problems(file=jsonl(*({"id": f"p{n}", "problem": f"{n}+1?", "answer": n + 1} for n in range(20))))


def test_a_source_is_either_a_file_or_a_name():
    with pytest.raises(ValidationError, match=r"neither of data\.file and data\.name are given"):
        Problems()
    with pytest.raises(ValidationError, match=r"both of data\.file and data\.name are given"):
        Problems(file="rows.jsonl", name="sandbox")


def test_unknown_sandbox_words_get_the_nearest_one():
    with pytest.raises(ValidationError, match=r"no family 'long_chian' of the sandbox; did you mean 'long_chain'\?"):
        Problems(name="sandbox:long_chian")
    with pytest.raises(ValidationError, match=r"no split 'tests' of the sandbox; did you mean 'test'\?"):
        Problems(name="sandbox", split="tests")


@pytest.mark.parametrize(("name", "family"), [("sandbox", "chain"), ("sandbox:compare", "compare")])
def test_sandbox_problems_are_the_generators_own_named_by_position(name, family):
    pool = Problems(name=name).pool(18)
    expected = next(p for n, p in enumerate(tasks.generate(family, "train", seed=0)) if n == 17)
    assert len(pool) == 18
    assert (pool[17].id, pool[17].problem, pool[17].answer) == (
        f"{family}/train/17",
        expected.text,
        str(expected.answer),
    )
    assert pool[17].meta == {"family": family, "steps": len(expected.steps)}


def test_the_sandbox_holds_out_its_own_splits_and_no_calculation_is_shared():
    source = Problems(name="sandbox:long_chain")
    test, validation = source.held_out(30, "test", set()), source.held_out(30, "validation", set())
    assert ids(test) == {f"long_chain/test/{n}" for n in range(30)}
    assert ids(validation) == {f"long_chain/validation/{n}" for n in range(30)}
    texts = [{example.problem for example in part} for part in (source.pool(300), test, validation)]
    assert not (texts[0] & texts[1] or texts[0] & texts[2] or texts[1] & texts[2])


def test_training_on_the_sandbox_test_split_takes_those_problems_out_of_the_test():
    source = Problems(name="sandbox", split="test")
    assert not ids(source.pool(5)) & ids(source.held_out(5, "test", ids(source.pool(5))))


def test_a_file_holds_out_what_is_not_trained_on_and_test_and_validation_share_nothing(twenty):
    trained = {"p0", "p7", "p13"}
    test, validation = (ids(twenty.held_out(100, purpose, trained)) for purpose in ("test", "validation"))
    assert not test & validation
    assert test | validation == {f"p{n}" for n in range(20)} - trained
    assert min(len(test), len(validation)) >= 7


def test_what_is_held_out_is_shuffled_but_always_the_same(twenty):
    first, again = (twenty.held_out(6, "test", set()) for _ in range(2))
    assert first == again and len(first) == 6
    numbers = [int(example.id[1:]) for example in first]
    assert numbers != sorted(numbers)


def test_other_training_problems_do_not_move_a_problem_from_validation_to_test(twenty):
    assert not ids(twenty.held_out(20, "test", {"p1"})) & ids(twenty.held_out(20, "validation", {"p2", "p3"}))


def test_a_copy_of_the_training_problem_is_not_held_out(jsonl):
    rows = [{"problem": "1+1?", "answer": "2"}] * 5 + [{"problem": f"{n}+1?", "answer": "0"} for n in range(2, 8)]
    source = Problems(file=jsonl(*rows))
    held = source.held_out(20, "test", {"0"}) + source.held_out(20, "validation", {"0"})
    assert sorted(example.problem for example in held) == [f"{n}+1?" for n in range(2, 8)]


def test_a_problem_without_an_answer_is_not_held_out(jsonl):
    source = Problems(file=jsonl(*({"problem": f"{n}?", "answer": "" if n % 2 else "1"} for n in range(10))))
    held = source.held_out(10, "test", set()) + source.held_out(10, "validation", set())
    assert ids(held) == {"0", "2", "4", "6", "8"}


def test_training_on_everything_leaves_nothing_to_hold_out(twenty):
    with pytest.raises(DataError, match=r"rows\.jsonl leaves no problem for the validation; train on fewer"):
        twenty.held_out(5, "validation", {f"p{n}" for n in range(20)})
