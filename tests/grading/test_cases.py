"""The grader against a table of labelled completions of every kind, and what surrounds a completion."""

import json
from pathlib import Path

import pytest

from tinyreason.errors import DataError
from tinyreason.grading.audit import audit_verdicts
from tinyreason.grading.grader import Grader, Verdict

FILE = Path(__file__).with_name("cases.jsonl")
CASES = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
KINDS = sorted({case["kind"] for case in CASES})


@pytest.fixture(scope="module")
def grader():
    with Grader(workers=2) as grader:
        yield grader


@pytest.mark.parametrize("kind", KINDS)
def test_a_completion_is_graded_as_it_is_labelled(grader, kind):
    cases = [case for case in CASES if case["kind"] == kind]
    verdicts = grader.grade(
        [case["completion"] for case in cases],
        [case["answer"] for case in cases],
        [case.get("truncated", False) for case in cases],
        [case.get("problem", "") for case in cases],
    )
    wrong = [
        (case["completion"], case["answer"], said)
        for case, said in zip(cases, verdicts, strict=True)
        if said.correct is not case["want"]
    ]
    assert not wrong


def test_the_table_holds_both_labels_of_every_kind():
    assert len(CASES) >= 150
    assert {(case["kind"], case["want"]) for case in CASES} == {
        (kind, want) for kind in KINDS for want in (True, False)
    }


def test_a_thought_that_the_template_opened_is_no_answer_until_it_is_closed(grader):
    completions = ["It is \\boxed{18}", "It is 17.</think>\\boxed{18}"]
    verdicts = grader.grade(completions, ["18"] * 2, truncated=[True, False], is_thought_open=True)
    assert [said.correct for said in verdicts] == [False, True]
    assert [said.correct for said in grader.grade(completions, ["18"] * 2)] == [True, True]


def test_the_same_completion_of_two_problems_gets_two_verdicts(grader):
    problems = [r"Work out $2^{10}$.", "How many are there?"]
    verdicts = grader.grade([r"\boxed{2^{10}}"] * 2, ["1024"] * 2, problems=problems)
    assert [said.correct for said in verdicts] == [False, True]
    assert verdicts[0].note == "the answer stands in the problem and is not worked out"


def test_an_audit_counts_both_errors_by_kind_with_intervals():
    rows = [{"answer": "18", "label": True}, {"answer": "18", "label": False}, {"answer": "Paris", "label": "true"}]
    verdicts = [Verdict(False, "17", 0.0), Verdict(True, "18", 0.0), Verdict(True, "Paris", 0.0)]
    kinds = {kind.kind: kind for kind in audit_verdicts(rows, verdicts, "label", "answer")}
    assert list(kinds) == ["number", "words", "all"]
    assert (kinds["all"].false_positives.errors, kinds["all"].false_positives.rows) == (1, 1)
    assert (kinds["all"].false_negatives.errors, kinds["all"].false_negatives.rows) == (1, 2)
    assert kinds["words"].false_positives.interval is None
    assert kinds["words"].false_negatives.interval == pytest.approx([0, 0.975])


@pytest.mark.parametrize(
    ("row", "message"), [({"lable": True}, "did you mean 'lable'"), ({"label": 3}, "is true or false")]
)
def test_a_row_without_a_label_is_named(row, message):
    with pytest.raises(DataError, match=message):
        audit_verdicts([{"answer": "5"} | row], [Verdict(True, "5", 0.0)], "label", "answer")


def test_the_command_prints_the_errors_by_kind_and_ends_well(tmp_path):
    from click.testing import CliRunner

    from tinyreason.cli.main import main

    file = tmp_path / "labelled.jsonl"
    rows = [
        {"completion": r"\boxed{5}", "answer": "5", "want": True},
        {"completion": "7", "answer": "7", "want": False},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    printed = CliRunner().invoke(main, ["grade", str(file), "--audit", "want"])
    assert printed.exit_code == 0
    assert "1 of 1: 100.0% [2.5%, 100.0%]" in printed.output
    told = json.loads(CliRunner().invoke(main, ["grade", str(file), "--audit", "want", "--json"]).stdout)
    assert told["number"]["false_positives"]["errors"] == 1
    assert told["all"]["false_negatives"] == {"errors": 0, "rows": 1, "interval": [0.0, 0.975], "share": 0.0}


@pytest.mark.parametrize(("ending", "opens"), [("<think>\n", True), ("<think>\n\n</think>\n\n", False), ("", False)])
def test_a_template_that_opens_a_thought_is_recognised(ending, opens):
    class Tokenizer:
        chat_template = "any"

        def apply_chat_template(self, chats, **_):
            return [chat[0]["content"] + ending for chat in chats]

    from tinyreason.models.chat_template import opens_thought

    assert opens_thought(Tokenizer(), {}) is opens
