"""Multiple choice under every rotation of its options, and macro-F1 over labels, by hand."""

import json
import random

import pytest
from commands import complaint, printed

from tinyreason.errors import DataError
from tinyreason.evaluation.circular import circular, rotated, rotations
from tinyreason.evaluation.macro_f1 import f1_by_label, macro_f1
from tinyreason.evaluation.score import Completion, Score
from tinyreason.example import Example

QUESTION = "Which town?\nA. Rome\nB. Paris\n(C) Bonn\nD) Oslo\nName its letter."


def question(text=QUESTION, answer="B", grader="choice"):
    return Example("q", ({"role": "user", "content": text},), answer, grader=grader)


def says(*correct):
    return [Completion("", 5, False, one, "A") for one in correct]


def test_the_options_move_by_one_and_the_letter_of_the_gold_answer_with_them():
    turned = rotated(question())
    assert turned[0].problem == QUESTION
    assert turned[1].problem == "Which town?\nA. Paris\nB. Bonn\n(C) Oslo\nD) Rome\nName its letter."
    assert [one.answer for one in turned] == ["B", "A", "D", "C"]
    for one in turned:
        line = next(line for line in one.problem.splitlines() if line.strip("(")[0] == one.answer)
        assert line.endswith("Paris") and one.grader == "choice"
    assert len({one.id for one in turned}) == 4


@pytest.mark.parametrize(("text", "answer"), [("How many?", "B"), (QUESTION, "E"), (QUESTION, "Paris")])
def test_what_has_no_options_to_rotate_is_said(text, answer):
    with pytest.raises(DataError, match="leave --circular out"):
        rotated(question(text, answer))


def test_a_question_is_correct_if_every_rotation_is():
    turned = rotations([question()])
    three = circular(Score(turned, [says(True), says(True), says(False), says(True)]))
    assert (three.problems, three.accuracy, three.as_given) == (1, 0.0, 1.0)
    two = circular(Score(turned, [says(True, True), says(True, True), says(True, False), says(True, None)]))
    assert two.accuracy == 0.5  # of its two samples one is correct in all
    assert circular(Score(turned[:3], [says(True)] * 3)) is None  # one rotation was left out
    assert circular(Score([question()], [says(True)])) is None


def test_macro_f1_by_hand_with_no_answer_as_a_class_of_its_own():
    pairs = [("c", "c"), ("c", "i"), ("i", "i"), ("i", "")]
    assert f1_by_label(pairs) == {"c": pytest.approx(2 / 3), "i": pytest.approx(1 / 2)}
    options = {"grader": {"labels": ["C", "I"]}}
    examples = [
        Example(str(n), ({"role": "user", "content": f"{n}?"},), gold, grader="label", meta=options)
        for n, gold in enumerate("CCII")
    ]
    texts = ["C", "it is I", "I", "no idea"]
    rows = [
        [Completion("", 1, False, correct, text)]
        for correct, text in zip([True, False, True, False], texts, strict=True)
    ]
    found = macro_f1(Score(examples, rows))
    assert found.value == pytest.approx(7 / 12) and found.interval[0] <= found.value <= found.interval[1]
    assert macro_f1(Score(examples[:2], rows[:2])) is None  # one label alone
    assert macro_f1(Score([question()], [says(True)])) is None


def test_constant_answers_earn_half_the_accuracy_in_macro_f1():
    pairs = [(gold, "yes") for gold in random.Random(0).choices(["yes", "no"], k=400)]
    f1 = f1_by_label(pairs)
    assert f1["no"] == 0 and 0.6 < f1["yes"] < 0.72


def test_the_command_asks_every_rotation_and_prints_a_row(jsonl, tmp_path):
    file = jsonl({"problem": QUESTION, "answer": "B", "grader": "choice"})
    words = ("eval", "sandbox", "--data", file, "--circular", "--samples", 1, "--no-template-check")
    out = printed(*words, "--out", tmp_path / "eval")
    assert "4 problems × 1 samples" in out and "correct in every rotation" in out
    found = json.loads(printed(*words, "--out", tmp_path / "eval", "--json"))["benches"]["rows"]["model"]["circular"]
    assert found["problems"] == 1 and found["accuracy"] <= found["as_given"]
    assert "leave --circular out" in complaint("eval", "sandbox", "--bench", "chain", "--problems", 2, "--circular")
