import random
from collections import Counter

import pytest

from tinyreason.data.filters import Filters, check_not_empty, subsample, trimmed, without_leaks, without_near_duplicates
from tinyreason.errors import DataError
from tinyreason.example import Example

SAIL = "The pressure on a sail varies jointly as its area and the cube of the velocity of the wind that blows on it"
TRAIN = "A train leaves the northern station at nine and meets another that left the southern station an hour before"


def row(completion, problem=SAIL, attempt="", id="0"):
    return {"problem_id": id, "problem": problem, "attempt": attempt, "completion": completion}


def example(problem):
    return Example("1", ({"role": "user", "content": problem},), "1")


def test_a_row_that_tells_another_problem_is_dropped_and_one_that_repeats_its_own_is_not():
    rows = [row(f"As in: {TRAIN.upper()}!"), row(f"It says {SAIL}, so"), row("a train leaves the station")]
    assert without_leaks(rows, [example(SAIL), example(TRAIN)]) == rows[1:]


def test_what_the_attempt_says_may_be_repeated():
    rows = [row(f"You write: {TRAIN}", attempt=TRAIN)]
    assert without_leaks(rows, [example(TRAIN)]) == rows


def test_rows_of_the_same_numbers_and_nearly_the_same_words_are_one():
    text = "First 12 plus 30 is 42, and the attempt, which wrote 41 at the end, has therefore gone wrong there."
    rows = [row(text), row(text.upper()), row(text.replace("therefore ", "")), row(text.replace("41", "43"))]
    assert without_near_duplicates(rows, 0.9) == [rows[0], rows[3]]
    assert without_near_duplicates(rows, 1) == rows


def test_rows_of_different_problems_or_attempts_are_not_one():
    rows = [row("Wrong."), row("Wrong.", id="1"), row("Wrong.", attempt="7"), row("Wrong.", attempt="8")]
    assert without_near_duplicates(rows, 0.9) == rows


def test_the_longest_and_the_shortest_go_but_never_so_many_that_fewer_than_n_are_left():
    rows = [row("x" * length) for length in random.Random(0).sample(range(100), 100)]
    left = trimmed(rows, 0.1, 50)
    assert sorted(len(row["completion"]) for row in left) == list(range(10, 90))
    assert left == [row for row in rows if row in left]
    assert len(trimmed(rows, 0.1, 95)) == 96
    assert trimmed(rows, 0.1, None) == trimmed(rows, 0.1, 100) == rows


def test_the_sample_keeps_the_order_and_depends_on_the_seed():
    rows = [row(str(number)) for number in range(100)]
    sampled = subsample(rows, 10, 0)
    assert len(sampled) == 10 and sampled == [row for row in rows if row in sampled]
    assert sampled == subsample(rows, 10, 0) != subsample(rows, 10, 1)
    assert subsample(rows, 100, 0) == subsample(rows, None, 0) == rows


def test_every_row_that_goes_is_counted():
    rows = [row(f"{number} {'x' * number}") for number in range(100)] + [row("0 "), row(TRAIN)]
    dropped = Counter()
    kept = Filters(n=60).apply(rows, [example(TRAIN)], dropped)
    assert len(kept) == 60
    assert +dropped == Counter(
        {
            "text of another problem in it": 1,
            "near-duplicate": 1,
            "longest or shortest": 10,
            "more than n": 30,
        }
    )


def test_an_empty_set_names_the_filter_that_took_most():
    dropped = Counter({"near-duplicate": 3, "no verdict at the end": 1200})
    with pytest.raises(DataError, match="of 1,203: the filter 'no verdict at the end' took 1,200"):
        check_not_empty([], "critique", dropped)
    check_not_empty([row("")], "critique", dropped)
