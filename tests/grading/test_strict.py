import itertools
import time

import pytest

from tinyreason.data.files import read_lines
from tinyreason.grading.answers import gold_text
from tinyreason.grading.strict import accepts

ACCEPTED = [
    (r"so \boxed{42}", "42"),
    (r"\boxed{\frac{1}{2}}", "0.5"),
    (r"$\boxed{\text{Paris}}$", "paris"),
    (r"\boxed{\textbf{(073)}}", "73"),
    (r"\boxed{1}, \boxed{2}", "1, 2"),
    ("#### 1,234", "1234"),
    (r"\boxed{12 000}", "12000"),
    ("<answer>\n5\n</answer>", "5"),
    ("<think>3 or 4</think>The answer is $\\boxed{3}$.", "3"),
    ("The answer is 3.5.", "3.5"),
    ("The answer is 12 dollars", "12"),
    ("Answer: B", "B"),
    ("**Final Answer**: 73", "73"),
    ("Final Answer: **73**", "73"),
    ("答案是42", "42"),
    ("38 + 33 = 71", "71"),
]
REFUSED = [
    ("To calculate 38 + 33, employ a formula.", "71"),
    (r"\boxed{38 + 33}", "71"),
    (r"\boxed{6\times7}", "42"),
    (r"\boxed{\sqrt{16}}", "4"),
    (r"\boxed{70} or \boxed{71}", "71"),
    (r"\boxed{sirap}", "Paris"),
    ("Answer: -12", "12"),
    (r"<think>it is \boxed{3}", "3"),
    (r"\boxed{1/0}", "0"),
    (r"\boxed{1 2}", "12"),
    (r"\boxed{0 5}", "5"),
    ("", "71"),
]


@pytest.mark.parametrize(("completion", "gold"), ACCEPTED)
def test_a_final_answer_that_reads_like_the_gold_or_is_the_same_number_is_accepted(completion, gold):
    assert accepts(completion, gold, truncated=False)


@pytest.mark.parametrize(("completion", "gold"), REFUSED)
def test_an_answer_that_would_have_to_be_worked_out_or_chosen_from_is_refused(completion, gold):
    assert not accepts(completion, gold, truncated=False)


def test_the_last_number_of_a_truncated_completion_is_not_its_answer():
    assert accepts("First 38 + 33 = 71", "71", truncated=False)
    assert not accepts("First 38 + 33 = 71", "71", truncated=True)
    assert accepts(r"\boxed{71} and", "71", truncated=True)


@pytest.mark.parametrize("name", ["gsm8k_test", "aime24", "aime25", "amc23", "math500", "minerva_math"])
def test_every_published_gold_answer_in_a_box_is_accepted(shared_data, name):
    answers = [str(row.get("answer", row.get("solution"))) for row in read_lines(shared_data / f"{name}.jsonl")]
    golds = [gold_text(answer) for answer in answers]
    refused = [gold for gold in golds if not accepts(f"So \\boxed{{{gold}}}.", gold, truncated=False)]
    assert refused == []


def test_gsm8k_s_own_solutions_are_accepted_and_those_of_the_next_problem_are_not(shared_data):
    answers = [row["answer"] for row in read_lines(shared_data / "gsm8k_test.jsonl")]
    assert all(accepts(answer, answer, truncated=False) for answer in answers)
    pairs = itertools.pairwise(answers)
    different = [(one, other) for one, other in pairs if one.split("####")[1] != other.split("####")[1]]
    assert not any(accepts(one, other, truncated=False) for one, other in different)


def test_a_long_hostile_completion_is_read_in_seconds():
    start = time.perf_counter()
    assert not accepts("1+" * 20_000 + " answer is " * 2_000 + r"\boxed{" * 3_000 + "<answer>" * 3_000, "2", False)
    assert time.perf_counter() - start < 5
