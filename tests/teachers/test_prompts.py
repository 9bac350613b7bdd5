import random

import pytest

from tinyreason.example import Example
from tinyreason.sandbox import oracle, tasks
from tinyreason.teachers.prompts import (
    critique_messages,
    end_in_verdict,
    printed,
    solution_messages,
    training_request,
    verdict_of,
)


def example(problem):
    return Example("0", ({"role": "user", "content": problem},), "1")


@pytest.mark.parametrize(
    ("critique", "verdict"),
    [
        ("So.\nConclusion: right", "right"),
        ("So. Conclusion: wrong [END]", "wrong"),
        ("**Conclusion:** Wrong.\n\n", "wrong"),
        ("**Conclusion: right**", "right"),
        ("Conclusion: right\nor rather\nConclusion: wrong", "wrong"),
        ("Conclusion: right, if you ask me", None),
        ("Conclusion: right/wrong", None),
        ("The attempt is right", None),
        ("", None),
    ],
)
def test_a_critique_ends_with_its_verdict_or_has_none(critique, verdict):
    assert verdict_of(critique) == verdict


@pytest.mark.parametrize("end", ["Conclusion: right", "**Conclusion: right**", "conclusion: Right. [END]\n"])
def test_every_verdict_is_written_alike_in_training(end):
    assert end_in_verdict(f" Step 2 fails.\n{end}") == "Step 2 fails.\nConclusion: right"


def test_a_sandbox_critique_is_asked_for_in_the_words_of_its_pretraining():
    problem = next(tasks.generate("chain", "train", 0))
    attempt = oracle.attempt(problem, random.Random(1))
    assert training_request(example(problem.text), attempt.text) == oracle.critique_request(attempt)
    (message,) = critique_messages(example(problem.text), attempt.text, in_words=False)
    assert message["content"] == oracle.critique_request(attempt)
    assert solution_messages(example(problem.text), in_words=False)[0]["content"] == problem.text


def test_any_other_problem_is_put_in_words_with_its_braces_as_they_are():
    system, user = critique_messages(example("What is \\frac{1}{2}?"), "It is {x}.", in_words=False)
    assert "Conclusion: right" in system["content"]
    assert "\\frac{1}{2}" in user["content"] and "{x}" in user["content"]
    assert "{x}" in training_request(example("What is \\frac{1}{2}?"), "It is {x}.")


def test_every_prompt_is_printed():
    asked = example("{problem}")
    said = (*critique_messages(asked, "{attempt}", True), {"content": training_request(asked, "{attempt}")})
    assert all(message["content"] in printed("critiques") for message in said)
    assert all(message["content"] in printed("solutions") for message in solution_messages(asked, True))
