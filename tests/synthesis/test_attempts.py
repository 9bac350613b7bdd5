from collections import Counter
from itertools import islice

import pytest

from tinyreason.data.one_shot import OneShot
from tinyreason.example import Example
from tinyreason.grading.grader import Grader
from tinyreason.synthesis.attempts import attempt_requests, graded_attempts, oracle_attempts, read_attempts, readable
from tinyreason.teachers.local import Local


@pytest.fixture
def sandbox_problems():
    return list(islice(OneShot(kind="one_shot", name="sandbox", index=0).examples(), 3))


def example(id="0", problem="What is 12+30?", answer="42"):
    return Example(id, ({"role": "user", "content": problem},), answer)


def test_the_rollouts_of_a_run_are_attempts(tmp_path):
    path = tmp_path / "rollouts.jsonl"
    path.write_text('{"problem_id": "0", "completion": "\\\\boxed{42}"}\n{"problem_id": "9", "completion": "no"}\n')
    dropped = Counter()
    assert read_attempts(path, [example()], dropped) == [(example(), "\\boxed{42}", "rollouts.jsonl")]
    assert dropped == {"attempt at another problem": 1}


def test_the_oracle_makes_the_same_attempts_again_and_others_for_another_seed(sandbox_problems):
    made = list(oracle_attempts(sandbox_problems, 20, 0))
    assert len(made) == 60
    assert made == list(oracle_attempts(sandbox_problems, 20, 0)) != list(oracle_attempts(sandbox_problems, 20, 1))


def test_attempts_are_graded_once_each_and_the_others_counted():
    dropped = Counter()
    made = [(example(), text, "me") for text in ("\\boxed{42}", "41", "<think> hm", "\\boxed{42}", " ")]
    with Grader() as grader:
        attempts = graded_attempts(made, grader, dropped)
    assert [(attempt.text, attempt.correct) for attempt in attempts] == [("\\boxed{42}", True), ("41", False)]
    assert dropped == {"attempt without an answer": 2, "attempt made before": 1}


def test_thoughts_are_not_part_of_an_attempt():
    assert readable(example(), "<think>hm</think>\nIt is 42.") == "It is 42."


def test_a_model_is_asked_a_sandbox_problem_as_it_is_and_another_with_the_box(sandbox_problems):
    model = Local(model="sandbox")
    (first, second) = attempt_requests(model, sandbox_problems[:1], 2)
    assert first.messages == second.messages == sandbox_problems[0].messages
    assert first.id != second.id
    assert "\\boxed" in attempt_requests(model, [example()], 1)[0].messages[0]["content"]
    assert attempt_requests(Local(model="sandbox", seed=1), sandbox_problems[:1], 1)[0].id != first.id
