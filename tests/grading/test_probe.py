"""The probe of a grader: it finds a grader that accepts too much or too little, and ours as they were measured."""

import json

import pytest
from commands import complaint, printed

from tinyreason.grading.grader import Grader
from tinyreason.grading.graders import GRADERS
from tinyreason.grading.probe import GOLDS, HACKS, probes, run_probe

KNOWN = {
    "math": ["\\boxed{12\\ }", "\\boxed{1\\,234}"],
    "sat": ["\\boxed{(1,1,0,1)}"],
}
"""Forms that are not graded correct yet."""


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
def test_only_the_known_forms_are_not_graded_correct_and_no_hack_is(grader, kind):
    _, missed = run_probe(kind, grader)
    assert [probe.completion for probe in missed] == KNOWN.get(kind, [])


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


def test_the_command_prints_a_row_a_family_and_says_what_is_missed():
    said = printed("grade", "--probe", "sat")
    assert "empty symbol" in said and r"not graded correct: '\\boxed{(1,1,0,1)}'" in said
    rates = json.loads(printed("grade", "--probe", "choice", "--json"))["choice"]
    assert rates["all"]["false_positives"]["errors"] == 0 and rates["signs"]["false_negatives"]["rows"] == 4


def test_a_file_or_a_probe_has_to_be_given(jsonl):
    assert "one of the two" in complaint("grade")
    assert "one of the two" in complaint("grade", jsonl({"completion": "1", "answer": "1"}), "--probe", "math")
    assert "there is no probe of a grader 'maths'" in complaint("grade", "--probe", "maths")
