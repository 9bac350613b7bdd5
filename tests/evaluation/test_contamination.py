"""An audit finds what is in the training data, and does not take a template for a copy."""

import pytest

from tinyreason.evaluation.contamination import audit_summary, find_contamination, without_copies
from tinyreason.example import Example
from tinyreason.prompts import CRITIQUE_REQUEST

LONG = "A farmer drives to the market with 48 crates of apples and sells 12 of them before noon to one shop. "


def examples(*problems):
    return [Example(str(n), ({"role": "user", "content": text},), "1") for n, text in enumerate(problems)]


def kinds(train, *problems):
    return {
        found.test_id: found.kind for found in find_contamination(examples(*train), examples(*problems), lambda _: None)
    }


@pytest.mark.parametrize(
    ("test", "kind"),
    [
        (LONG + "How many are left?", "identical"),
        (LONG.upper() + "  how many  are left?", "identical"),
        (LONG + "How many are left now?", "near_duplicate"),
        (LONG.replace("48", "36").replace("12", "9") + "How many are left?", "other_numbers"),
        (
            "Nobody knows this. " + LONG + "What does the shop pay for 12 crates if one costs 7 and a sack 3?",
            "shared_run",
        ),
        ("A train leaves at 9 and arrives at 12. How long does it travel?", None),
    ],
)
def test_a_test_problem_is_found_as_what_it_is(test, kind):
    train = ("What is 1 + 1?", LONG + "How many are left?")
    assert kinds(train, test) == ({"0": kind} if kind else {})


def test_the_worst_comes_first_and_a_template_is_not_contamination():
    other = LONG.replace("48", "50").replace("12", "24")
    train, test = examples(LONG + "How many?"), examples(other + "How many?", LONG + "How many?")
    told = []
    found = audit_summary(find_contamination(train, test, told.append), train, test)
    assert [row.kind for row in found.findings] == ["identical", "other_numbers"]
    assert (found.contaminated, found.test, sum(told)) == (1, 2, 2)


def test_a_problem_told_in_a_training_solution_is_found():
    train = [Example("7", ({"role": "user", "content": "?"},), "1", completion="We are told: " + LONG)]
    (found,) = find_contamination(train, examples(LONG + "And then?"), lambda _: None)
    assert (found.kind, found.train_id) == ("shared_run", "7")


SAID = "is m/n where m and n are relatively prime positive integers. Find m + n."
BOB, ANN = f"Bob rolls three dice; the chance of a six {SAID}", f"Ann's ladder leans on a wall. The cosine {SAID}"


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ([BOB], [ANN, f"Cy swims against the stream. His speed in metres a second {SAID}"]),
        ([BOB, f"Dan sails. His knots {SAID}", f"Eve has a goat. It weighs, in pounds, {SAID}"], [ANN]),
    ],
)
def test_a_phrase_that_many_problems_have_is_not_a_copy(train, test):
    assert kinds([BOB], ANN) == {"0": "shared_run"}
    assert kinds(train, *test) == {}


def test_a_shared_run_is_shown_with_its_words_and_is_not_called_contamination():
    train = examples(LONG + "How many are left?")
    test = examples("Nobody knows this. " + LONG + "What does the shop pay for 12 crates if one costs 7 and a sack 3?")
    found = audit_summary(find_contamination(train, test, lambda _: None), train, test)
    assert found.findings[0].shared == "48 crates of apples and sells 12 of them before noon to one"
    assert (found.contaminated, found.counts["shared_run"]) == (0, 1)


def test_gsm8k_shares_only_the_openings_of_three_problems(shared_data):
    from tinyreason.evaluation.benchmarks import read_file

    train, test = (
        read_file(shared_data / "gsm8k_train.jsonl")[:2000],
        read_file(shared_data / "gsm8k_test.jsonl")[500:700],
    )
    found = find_contamination(train, test, lambda _: None)
    assert {(row.kind, row.test_id, row.train_id) for row in found} == {
        ("shared_run", "632", "20"),
        ("shared_run", "602", "1314"),
        ("shared_run", "581", "406"),
    }


def kept_of(candidates, known, count=9):
    """(places of the candidates kept, kinds passed over)"""
    kept, passed = without_copies(examples(*candidates), known, count)
    return [int(example.id) for example in kept], dict(passed)


def test_copies_are_passed_over_and_the_next_take_their_place_with_no_more_checked_than_needed():
    clean = [f"Train {n} leaves Bern at {n + 3}. When does it arrive?" for n in range(200)]
    copies = [LONG.upper() + "How many are  left?", LONG + "How many are left now?"]
    told = []
    kept, passed = without_copies(
        examples(*clean[:2], *copies, *clean[2:]), examples(LONG + "How many are left?"), 3, told.append
    )
    assert [example.problem for example in kept] == clean[:3]
    assert passed == {"identical": 1, "near_duplicate": 1} and sum(told) == 3


def test_a_template_with_other_numbers_or_a_common_phrase_is_not_passed_over():
    known = examples(LONG + "How many are left?")
    others = [LONG.replace("48", "36") + "How many are left?", f"Nobody knows. {LONG} What does a crate cost?"]
    assert kept_of(others, known) == ([0, 1], {})
    assert kept_of(others, []) == ([0, 1], {})


def test_a_problem_that_stands_whole_in_a_longer_one_or_in_a_request_for_a_critique_is_a_copy():
    wrapped = examples(f"Here is a task for you. {LONG}How many? Think step by step and put the answer in a box. " * 2)
    assert kept_of([LONG + "How many?", "Think step by step"], wrapped) == ([1], {"identical": 1})
    request = CRITIQUE_REQUEST.format(problem="What is 3 + 4?", attempt="It is 7.")
    critiques = [Example("c", ({"role": "user", "content": request},), "", "Fine.", meta={"is_whole_request": True})]
    assert kept_of(["what is 3 + 4?", "What is 3 + 5?"], critiques) == ([1], {"identical": 1})
