"""Generated word problems: their solutions are correct, their splits share nothing, the oracle knows them."""

import random
from itertools import islice

import pytest
from pydantic import ValidationError

from tinyreason.data import word_problems
from tinyreason.data.problems import Problems
from tinyreason.data.solutions import Solutions
from tinyreason.data.word_problems import FAMILIES, STORIES, endless_problems
from tinyreason.data.worlds import SPLITS
from tinyreason.grading.grader import Grader
from tinyreason.synthesis.attempts import oracle_attempts
from tinyreason.teachers.oracle import _say
from tinyreason.teachers.prompts import verdict_of
from tinyreason.teachers.request import Attempt, Request


def some(family="mixed", split="train", count=200):
    return list(islice(endless_problems(family, split, 0), count))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_solution_computes_what_it_says_and_is_correct_to_the_grader(family):
    problems = some(family)
    for problem in problems:
        assert word_problems.first_false_line(word_problems.short_solution(problem)) is None
        assert word_problems.first_false_line(word_problems.long_solution(problem)) is None
        assert all(1 <= step.written <= word_problems.LARGEST for step in problem.steps)
    answers = [str(problem.answer) for problem in problems]
    with Grader() as grader:
        for write in (word_problems.short_solution, word_problems.long_solution):
            assert all(verdict.correct for verdict in grader.grade(list(map(write, problems)), answers))


def test_a_mistake_is_a_false_line():
    assert word_problems.first_false_line("It is 3 * 4 = 12.\nThen 12 + 1 = 14.\nThen 14 - 1 = 12.") == 2


def test_each_story_is_told_and_the_families_differ_in_their_steps():
    assert {problem.story for problem in some("mixed", count=500)} == set(FAMILIES["mixed"])
    assert set(STORIES) == {kind for kinds in FAMILIES.values() for kind in kinds}
    for steps, family in enumerate(("one_step", "two_step", "three_step"), 1):
        assert {len(problem.steps) for problem in some(family)} == {steps}


def calculation(problem):
    return problem.story, *(problem.values[letter] for letter in STORIES[problem.story].numbers)


def test_the_same_seed_makes_the_same_problems_and_splits_share_none():
    assert some() == some()
    train, validation, test = (set(map(calculation, some(split=split))) for split in SPLITS)
    assert not train & validation and not train & test and not validation & test


def test_a_source_reads_them_by_name_and_holds_other_ones_out():
    source = Problems(name="words:two_step", size=50)
    rows = source.load()
    assert (len(rows), source.is_offline, source.describe()) == (
        50,
        True,
        "50 problems of the generated word problems (two_step)",
    )
    asked = source.held_out(50, "test", {row.id for row in rows})
    assert not {row.problem for row in asked} & {row.problem for row in rows}
    solved = Solutions(name="words", size=40, rambling_share=0.5).load()
    assert 0 < sum("let me check" in row.completion for row in solved) < 40
    with pytest.raises(ValidationError, match="no family 'two_steps' of the generated word problems"):
        Problems(name="words:two_steps")


def test_the_oracle_makes_attempts_and_its_verdict_is_the_graders():
    rows = Problems(name="words", size=60).load()
    made = list(oracle_attempts(rows, 3, seed=0))
    with Grader() as grader:
        verdicts = grader.grade([text for _, text, _ in made], [example.answer for example, _, _ in made])
    is_correct = [bool(verdict.correct) for verdict in verdicts]
    assert 0.3 < sum(is_correct) / len(is_correct) < 0.9
    for (example, text, by), correct in zip(made, is_correct, strict=True):
        critique = _say(Request("id", example, (), Attempt(example, text, by, correct)))
        assert (verdict_of(critique) == "right") == correct
        assert critique.startswith(_say(Request("id", example, ())))


def test_one_problem_has_many_different_attempts():
    (problem,) = some("three_step", count=1)
    rng = random.Random(0)
    assert len({word_problems.student_attempt(problem, rng) for _ in range(600)}) > 150


def test_the_longest_prompt_is_no_longer_than_is_said(smollm2):
    from transformers import AutoTokenizer

    from tinyreason.prompts import PROMPTS

    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    texts = [PROMPTS["boxed"].format(problem=problem.text) for problem in some("mixed", count=1000)]
    rows = [[{"role": "user", "content": text}] for text in texts]
    lengths = map(len, tokenizer.apply_chat_template(rows, add_generation_prompt=True, return_dict=True)["input_ids"])
    assert max(lengths) <= word_problems.LONGEST_PROMPT_TOKENS["mixed"]
