import random
from itertools import islice

import pytest

from tinyreason.sandbox import oracle, tasks
from tinyreason.sandbox.reader import read_attempt, read_problem


@pytest.mark.parametrize("family", tasks.FAMILIES)
def test_a_problem_is_read_as_it_was_made(family):
    for problem in islice(tasks.generate(family, "train", 1), 300):
        assert read_problem(problem.text) == problem


@pytest.mark.parametrize(
    "text",
    ["", "What is 12+30?", "Ann has 3 pens. Ann eats 2. How many pens does Ann have now?", "Ann has 3 pens."],
)
def test_another_text_is_not_a_sandbox_problem(text):
    assert read_problem(text) is None


def test_an_attempt_is_read_as_it_was_made():
    rng = random.Random(0)
    for problem in islice(tasks.generate("chain", "train", 1), 300):
        attempt = oracle.attempt(problem, rng)
        assert read_attempt(problem, attempt.text) == attempt


def test_a_completion_is_an_attempt_of_its_steps_and_its_last_box():
    problem = next(tasks.generate("chain", "train", 0))
    steps = tuple((step, step.result) for step in problem.steps)
    for completion in (oracle.worked(problem), oracle.rambling(problem)):
        assert read_attempt(problem, completion) == oracle.SandboxAttempt(problem, steps, problem.answer)
    assert read_attempt(problem, "<think>\n1+1=2\n") is None
