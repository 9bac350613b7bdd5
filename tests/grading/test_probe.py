"""The probe of a grader: it finds a grader that accepts too much or too little, and ours as they were measured."""

import json

import pytest
from commands import complaint, printed

from tinyreason.example import Example
from tinyreason.grading.grader import Grader
from tinyreason.grading.graders import GRADERS
from tinyreason.grading.probe import GOLDS, HACKS, Gold, probes, run_probe


@pytest.fixture(scope="module")
def grader():
    with Grader() as it:
        yield it


class Verdict:
    def __init__(self, correct):
        self.correct = correct


class Credulous:
    """Calls every completion correct."""

    def grade_examples(self, completions, examples):
        return [Verdict(True) for _ in completions]


class Literal:
    """Calls correct what holds the gold answer letter by letter."""

    def grade_examples(self, completions, examples):
        return [Verdict(example.answer in text) for text, example in zip(completions, examples, strict=True)]


@pytest.mark.parametrize("kind", GOLDS)
def test_every_form_is_graded_correct_and_no_hack_is(grader, kind):
    _, missed = run_probe(kind, grader)
    assert [probe.completion for probe in missed] == []


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("1,234", r"1\,23"),
        ("1,234,567", r"1\,234\,56"),
        ("1, 234", r"1\,234"),
        ("5", r"5\,000"),
        ("12", "\\"),
    ],
)
def test_what_a_thin_space_does_not_group_stays_incorrect(grader, gold, answer):
    example = Example("0", ({"role": "user", "content": ""},), gold)
    assert grader.grade_examples([f"\\boxed{{{answer}}}"], [example])[0].correct is not True


@pytest.mark.parametrize("answer", ["(1,1),0,1", "(1101", "1101)", "[1101)", "()", "((1101))"])
def test_brackets_that_are_no_tuple_are_not_bits(answer):
    rule = GRADERS["sat"](variables=4, clauses=[[1]])
    assert rule.grade("1101", "(1101)") == (True, "") and not rule.grade("1101", answer)[0]


def test_a_gold_of_one_half_has_0_5_correct_and_a_brace_or_nothing_incorrect():
    found = {probe.completion: probe.is_correct for probe in probes("math") if probe.example.answer == r"\frac{1}{2}"}
    assert found[r"\boxed{0.5}"] and found[r"\boxed{1/2}"]
    assert not found["{"] and not found[""] and not found[r"\boxed{}"]


def test_a_grader_that_accepts_anything_or_only_the_letters_is_found_out():
    credulous, _ = run_probe("math", Credulous())
    assert {one.kind: one.false_positives.share for one in credulous if one.kind in HACKS} == dict.fromkeys(HACKS, 1.0)
    literal, _ = run_probe("math", Literal())
    assert literal[-1].false_positives.errors == 0
    assert next(one for one in literal if one.kind == "algebra").false_negatives.errors >= 5


def test_every_grader_of_ours_but_the_librarys_is_probed_with_golds_that_it_reads(grader):
    assert set(GOLDS) == set(GRADERS) - {"reasoning_gym"}
    examples = [next(probe.example for probe in probes(kind)) for kind in GOLDS]
    assert grader.check_gold(examples) == [True] * len(examples)


def test_the_command_prints_a_row_a_family_and_says_what_is_missed(monkeypatch):
    monkeypatch.setitem(GOLDS, "sat", (Gold("1101", {"signs": ("1-1-0-1",)}, GOLDS["sat"][0].options),))
    said = printed("grade", "--probe", "sat")
    assert "empty symbol" in said and r"not graded correct: '\\boxed{1-1-0-1}'" in said
    rates = json.loads(printed("grade", "--probe", "choice", "--json"))["choice"]
    assert rates["all"]["false_positives"]["errors"] == 0 and rates["signs"]["false_negatives"]["rows"] == 4


def test_a_file_or_a_probe_has_to_be_given(jsonl):
    assert "one of the two" in complaint("grade")
    assert "one of the two" in complaint("grade", jsonl({"completion": "1", "answer": "1"}), "--probe", "math")
    assert "there is no probe of a grader 'maths'" in complaint("grade", "--probe", "maths")
