import json

import pytest

from tinyreason.errors import DataError
from tinyreason.example import Example
from tinyreason.teachers.file import File
from tinyreason.teachers.request import Attempt, Request, Work

EXAMPLE = Example("7", ({"role": "user", "content": "What is 12+30?"},), "42")


@pytest.fixture
def write(tmp_path):
    def write(*rows):
        path = tmp_path / "answers.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return File(file=path)

    return write


def texts(teacher, *requests):
    answers = []
    teacher.answer(Work(list(requests), answers.append))
    return [answer.text for answer in answers]


def request(id, attempt=None):
    return Request(id, EXAMPLE, EXAMPLE.messages, attempt and Attempt(EXAMPLE, attempt, "me", False))


def test_an_answer_is_found_by_its_request_or_by_problem_and_attempt(write):
    teacher = write(
        {"request_sha256": "a", "critique": "by request"},
        {"problem_id": 7, "attempt": " 41\n", "completion": "by attempt"},
    )
    assert texts(teacher, request("a", "40"), request("b", "41"), request("c", "43")) == [
        "by request", "by attempt", None,
    ]  # fmt: skip


def test_a_solution_is_found_by_its_problem(write):
    assert texts(write({"problem_id": "7", "solution": "It is 42."}), request("a")) == ["It is 42."]


def test_a_file_that_was_changed_is_read_anew(write):
    assert texts(write({"problem_id": "7", "solution": "It is 42."}), request("a")) == ["It is 42."]
    assert texts(write({"problem_id": "7", "solution": "It is 43."}), request("a")) == ["It is 43."]


@pytest.mark.parametrize("row", [{"problem_id": "7"}, {"critique": "x"}, {"problem_id": "7", "critique": " "}])
def test_a_row_that_answers_nothing_is_refused(write, row):
    with pytest.raises(DataError, match="row 1 is not an answer; it needs 'critique'"):
        write(row).check_ready()
