"""Each grader of `grading/graders/`: what it takes for correct, and that what a completion says is never run."""

import ast
import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from tinyreason.data.problems import Problems
from tinyreason.errors import DataError
from tinyreason.evaluation.score import Completion, Score
from tinyreason.evaluation.second_opinion import strict_accuracies
from tinyreason.example import Example
from tinyreason.grading import graders
from tinyreason.grading.grader import Grader
from tinyreason.grading.graders import GRADERS
from tinyreason.grading.strict import accepts
from tinyreason.runs.result import StoredProblem

SAT = {"variables": 4, "clauses": [[-2, -3, -4], [1, -2, -4], [1, 2, -4]]}
COUNTDOWN = {"numbers": [3, 4, 5], "target": 35}
GOLDS = {
    "abstain": ("unknown", {}),
    "assignment": ("Ann is a knight, Ben is a knave", {}),
    "choice": ("C", {}),
    "expression": ("(3+4)*5", COUNTDOWN),
    "label": ("Step 3", {"labels": ["Step 1", "Step 2", "Step 3"]}),
    "math": ("18", {}),
    "reasoning_gym": ("18", {"name": "chain_sum"}),
    "sat": ("1101", SAT),
}
INSTALLED = [kind for kind in GRADERS if kind != "reasoning_gym" or find_spec("reasoning_gym")]
MARKED = [
    ("choice", "C", True),
    ("choice", "(C)", True),
    ("choice", "C) Paris", True),
    ("choice", r"\text{C}", True),
    ("choice", "option C", True),
    ("choice", "B", False),
    ("choice", "B or C", False),
    ("choice", "Paris", False),
    ("label", "step 3.", True),
    ("label", "It is Step 3", True),
    ("label", "Step 2", False),
    ("label", "Step 2 or Step 3", False),
    ("label", "Step 33", False),
    ("abstain", "unknown", True),
    ("abstain", r"\text{Cannot be determined}", True),
    ("abstain", "there is not enough information", True),
    ("abstain", "5", False),
    ("abstain", "5, or unknown", False),
    ("assignment", "ben is a KNAVE.\nAnn is a knight", True),
    ("assignment", "Ann: knight, Ben: knave", True),
    ("assignment", r"\text{Ann is a knight, Ben is a knave}", True),
    ("assignment", "Ann is a knight", False),
    ("assignment", "Ann is a knight, Ben is a knight", False),
    ("assignment", "Ann is a knight, Ben is a knave, Ben is a knight", False),
    ("assignment", "Ann is a knight, Ben is a knave, Cleo is a knave", False),
    ("assignment", "Ann is a knight, Ben is not a knight", False),
    ("sat", "1101", True),
    ("sat", "1, 1, 0, 1", True),
    ("sat", "0000", True),  # not the gold answer, and every clause is true
    ("sat", "0101", False),
    ("sat", "110", False),
    ("sat", "11010", False),
    ("sat", "true", False),
    ("expression", "5 * (4 + 3)", True),
    ("expression", r"(3+4) \times 5 = 35", True),
    ("expression", r"\frac{5}{1}*(3+4)", False),  # a 1 is not given
    ("expression", "35", False),
    ("expression", "3*4*5", False),
    ("expression", "(3+4)*5 = 36", False),
    ("expression", "(3+4)*5*5/5", False),
    ("expression", "(3+4)/(5-5)", False),
    ("expression", "3**4", False),
    ("expression", "__import__('os')", False),
    ("expression", "(" * 150 + "3+4" + ")" * 150 + "*5", False),
]


def example(kind, problem="?"):
    gold, options = GOLDS[kind]
    meta = {"grader": options} if options else {}
    return Example("1", ({"role": "user", "content": problem},), gold, meta=meta, grader=kind)


@pytest.fixture(scope="module")
def grader():
    with Grader(workers=1) as grader:
        yield grader


def verdicts(grader, kind, *completions, **options):
    return [found.correct for found in grader.grade_examples(list(completions), [example(kind)] * len(completions))]


def test_every_gold_answer_is_correct_by_its_own_rule_and_that_of_another_is_not(grader):
    assert set(GOLDS) == set(GRADERS)
    assert grader.check_gold(map(example, INSTALLED)) == [True] * len(INSTALLED)
    others = [
        Example("1", ({"role": "user", "content": "?"},), "?!", grader=kind)
        for kind in INSTALLED
        if kind not in ("label", "reasoning_gym")
    ]
    assert not any(grader.check_gold(others))


def test_each_answer_in_a_box_is_graded_by_the_examples_own_grader_and_so_by_the_second(grader):
    asked = [example(kind) for kind, _, _ in MARKED]
    texts = [f"<think>so it is</think>\n\\boxed{{{answer}}}" for _, answer, _ in MARKED]
    found = [verdict.correct for verdict in grader.grade_examples(texts, asked)]
    assert found == [wanted for *_, wanted in MARKED]
    rows = zip(texts, asked, strict=True)
    assert [accepts(text, one.answer, False, one.rule) for text, one in rows] == found


@pytest.mark.parametrize(
    ("kind", "completion", "is_correct"),
    [
        ("sat", "<answer>1101</answer>", True),
        ("sat", "<answer>\\boxed{1101}</answer>", True),
        ("sat", "The answer is 1101.", True),
        ("sat", "#### 1101", True),
        ("sat", r"\boxed{0101} or \boxed{1101}", False),
        ("sat", r"\boxed{0101}. Wait, that is not it, so \boxed{1101}", True),
        ("sat", "1101", False),  # nothing marks it
        ("sat", "<think>\\boxed{1101}", False),
        ("assignment", "<answer>\n(1) Ann is a knight\n(2) Ben is a knave\n</answer>", True),
        ("assignment", "Final answer:\nAnn is a knight\nBen is a knave\n\nThat was easy.", True),
        ("choice", "A is too small, I think (C). I am sure", True),
        ("choice", "It is C. A bit later: B", False),
        ("label", "The first mistake is in step 3", True),
        ("abstain", "Let me see.\nIt cannot be determined.", True),
        ("abstain", "It cannot be determined.\nSo I guess.", False),
        ("abstain", r"It cannot be determined, so \boxed{4}", False),
    ],
)
def test_an_answer_is_found_in_any_mark_and_in_prose_where_the_grader_reads_it(grader, kind, completion, is_correct):
    assert verdicts(grader, kind, completion) == [is_correct]


def test_what_the_token_limit_truncated_counts_only_with_a_mark(grader):
    texts = ["It is C", r"\boxed{C} and"]
    found = grader.grade_examples(texts, [example("choice")] * 2, [True, True])
    assert [verdict.correct for verdict in found] == [False, True]


def test_numbers_may_be_left_over_where_not_all_have_to_be_used(grader):
    asked = Example("1", ({"role": "user", "content": "?"},), "3+4", grader="expression")
    asked.meta["grader"] = {"numbers": [3, 4, 5], "target": 7, "uses_all": False}
    found = grader.grade_examples([r"\boxed{4+3}", r"\boxed{5+5-3}"], [asked] * 2)
    assert [verdict.correct for verdict in found] == [True, False]


def test_nothing_that_a_completion_says_is_run(grader, tmp_path):
    written = tmp_path / "written"
    text = f"\\boxed{{open({str(written)!r}, 'w').write('x') or (3+4)*5}}"
    assert not any(verdicts(grader, kind, text)[0] for kind in INSTALLED)
    assert not written.exists()
    nodes = [
        node for file in Path(graders.__file__).parent.glob("*.py") for node in ast.walk(ast.parse(file.read_text()))
    ]
    called = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert "bool" in called and not called & {"eval", "exec", "compile", "__import__"}


def test_another_grader_is_another_problem_and_stays_with_it_in_the_files():
    asked = example("sat")
    score = Score([asked], [[Completion(r"\boxed{0000}", 3, False, True), Completion("0000", 1, False, False)]])
    (row,) = json.loads(json.dumps(score.as_json()))
    assert row["grader"] == {"kind": "sat"} | SAT
    assert "grader" not in Score([example("math")], score.completions_P_S).as_json()[0]
    stored = StoredProblem.model_validate(row)
    assert stored.example == asked and stored.example.rule == asked.rule
    assert list(strict_accuracies(score).values()) == [0.5]
    assert StoredProblem.model_validate({"id": "1", "replies": []}).example.rule == ""


def test_a_row_of_a_file_names_its_grader_and_a_source_that_of_the_others(tmp_path):
    file = tmp_path / "rows.jsonl"
    rows = [
        {"problem": "Which?", "answer": "C"},
        {"problem": "Solve.", "answer": "1101", "grader": {"kind": "sat"} | SAT},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = Problems(file=file, grader="choice").load()
    assert [one.grader for one in found] == ["choice", "sat"]
    assert found[1].rule == example("sat").rule
    assert [one.grader for one in Problems(file=file).load()] == ["math", "sat"]


@pytest.mark.parametrize(
    ("grader", "said"),
    [
        ({"kind": "sats"}, "no grader 'sats'; did you mean 'sat'?"),
        ({"kind": "sat", "bits": 3}, "cannot have {'bits': 3}"),
    ],
)
def test_a_grader_that_there_is_not_is_one_sentence(tmp_path, grader, said):
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"problem": "Solve.", "answer": "1", "grader": grader}))
    with pytest.raises(DataError) as error:
        Problems(file=file).load()
    assert said in str(error.value)
