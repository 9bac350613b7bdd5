"""The sixteen cells of MATHCHECK, by hand."""

import json

import pytest

from tinyreason.errors import DataError
from tinyreason.evaluation.benchmarks import find_bench
from tinyreason.evaluation.mathcheck import VERSIONS, mathcheck
from tinyreason.evaluation.score import Completion, Score

ANSWERS = {
    "solving": 18.0,
    "outcome_judging": "Correct",
    "process_judging": "Step 3",
    "answerable_judging": "Unanswerable",
}


def rows(groups=2):
    return [
        {"task_type": task, "question_type": version, "group_id": str(group), "id": f"{group}{task}{version}"}
        | {"question": "How many {eggs}?", "solution": "Step 1: {question}", "answer": answer}
        for group in range(groups)
        for task, answer in ANSWERS.items()
        for version in VERSIONS
    ]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "gsm_checklist.json"
    path.write_text(json.dumps(rows()))
    return path


def test_each_task_is_asked_in_its_own_form_and_graded_by_its_labels(file):
    found = find_bench("mathcheck").load(file)
    assert len(found) == 32
    by_task = {example.meta["task"]: example for example in found}
    assert by_task["solving"].problem == "How many {eggs}?" and by_task["solving"].grader == "math"
    assert "Solution:\nStep 1: {question}" in by_task["process_judging"].problem
    assert by_task["answerable_judging"].rule == '{"kind": "label", "labels": ["Answerable", "Unanswerable"]}'
    assert find_bench("mathcheck").load(file, 3) == found[:3]


def says(text, correct=False):
    return Completion(text, 5, False, correct, text)


def test_the_mean_of_the_cells_is_of_accuracy_and_macro_f1(file):
    golds = ["Correct", "Correct", "Incorrect", "Incorrect"]
    file.write_text(
        json.dumps(
            [row | {"answer": gold, "group_id": n, "id": n} for n, gold in enumerate(golds) for row in rows()[4:5]]
            + rows()[:1]
        )
    )
    found = find_bench("mathcheck").load(file)
    said = [says("Correct", True), says("Incorrect"), says("Incorrect", True), says("no idea"), says("18", True)]
    score = mathcheck(Score(found, [[one] for one in said]))
    (verdicts,) = score.cells["outcome_judging"].values()
    assert verdicts == pytest.approx(0.5833, abs=1e-4)  # F1 2/3 of Correct, 1/2 of Incorrect
    assert score.cells["solving"] == {"original": 1.0}
    assert score.score == pytest.approx((1 + 0.5833) / 2, abs=1e-4)
    assert 0 <= score.interval[0] < score.score < score.interval[1] <= 1
    assert mathcheck(Score([], [])) is None


def test_all_correct_is_1_in_every_cell(file):
    found = find_bench("mathcheck").load(file)
    score = mathcheck(Score(found, [[says(one.answer, True)] for one in found]))
    assert score.score == 1 and score.interval == [1, 1]
    assert [len(versions) for versions in score.cells.values()] == [4] * 4


def test_another_file_and_none_are_refused_in_a_sentence(file):
    with pytest.raises(DataError, match="read from a file of github"):
        find_bench("mathcheck").load()
    file.write_text(json.dumps([{"question": "1+1?", "answer": "2"}]))
    with pytest.raises(DataError, match="row 1 is not of MATHCHECK-GSM"):
        find_bench("mathcheck").load(file)
