import json

import pytest

from tinyreason.data.solutions import Solutions
from tinyreason.grading.confidence import read_confidence
from tinyreason.grading.grader import Grader


@pytest.mark.parametrize("name", ["sandbox", "words"])
def test_generated_solutions_in_tags_are_graded_correct_and_their_confidences_say_nothing(name):
    plain, tagged = (Solutions(name=name, size=40, tags=tags).load() for tags in ("as_written", "confidence"))
    for one, other in zip(plain, tagged, strict=True):
        assert other.completion.startswith("<think>\n") and other.completion.count("<think>") == 1
        assert f"</think>\n<answer>{one.answer}</answer>\n<confidence>" in other.completion
    assert len({read_confidence(example.completion) for example in tagged}) > 5
    with Grader() as grader:
        verdicts = grader.grade([example.completion for example in tagged], [example.answer for example in tagged])
    assert all(verdict.correct for verdict in verdicts)


def test_a_solution_of_a_file_keeps_its_steps(tmp_path):
    row = {"question": "1+1?", "answer": "One and one make two.\n#### 2"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    (found,) = Solutions(file=tmp_path / "rows.jsonl", tags="think_answer").load()
    assert found.completion == "<think>\nOne and one make two.\n\\boxed{2}\n</think>\n<answer>2</answer>"
