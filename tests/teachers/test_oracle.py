import random

import pytest

from tinyreason.errors import TeacherError
from tinyreason.example import Example
from tinyreason.sandbox import oracle, tasks
from tinyreason.teachers.oracle import Oracle
from tinyreason.teachers.request import Attempt, Request, Work

PROBLEM = next(tasks.generate("chain", "train", 0))


def said(text, attempt=None):
    example, answers = Example("0", ({"role": "user", "content": text},), "1"), []
    made = attempt and Attempt(example, attempt, "me", False)
    Oracle().answer(Work([Request("a", example, example.messages, made)], answers.append))
    return answers[0].text


def test_it_criticises_as_the_sandbox_was_pretrained():
    for seed in range(50):
        attempt = oracle.attempt(PROBLEM, random.Random(seed))
        assert said(PROBLEM.text, attempt.text) == oracle.worked_critique(attempt)


def test_it_solves_the_problem():
    assert said(PROBLEM.text) == oracle.worked(PROBLEM)


def test_it_knows_the_sandbox_only():
    with pytest.raises(TeacherError, match="choose another --teacher"):
        said("What is 12+30?")
