"""What a model reads under each prompt, letter by letter."""

import pytest

from tinyreason.example import Example
from tinyreason.prompts import ASKED, PROMPTS, chat_messages


def asked(prompt, problem="What is {2} + 2?"):
    (message,) = chat_messages(Example("0", ({"role": "user", "content": problem},), "4"), prompt)
    return message["content"]


def test_re2_says_the_problem_twice_and_then_asks_as_boxed_does():
    assert asked("re2") == (
        "What is {2} + 2?\nRead the question again: What is {2} + 2?\n"
        "Reason step by step, then give the final answer inside \\boxed{}."
    )


def test_self_ask_gives_the_form_of_its_lines():
    assert asked("self_ask") == (
        "What is {2} + 2?\nAsk yourself what has to be known first, as often as needed, in this form:\n"
        "Are follow up questions needed here: Yes.\nFollow up: a question\nIntermediate answer: its answer\n"
        "So the final answer is: the answer, inside \\boxed{}."
    )


EXAMPLE = "A baker fills 3 trays with 12 rolls each, and sells 20. How many rolls are left?"
SOLVED = "The trays hold 3 * 12 = 36 rolls. Of these 36 - 20 = 16 are left. \\boxed{16}"
REQUEST = "\nReason step by step, then give the final answer inside \\boxed{}."


def test_one_shot_cot_shows_a_worked_example():
    assert asked("one_shot_cot") == (
        f"What is {{2}} + 2?\n\nThis is how another problem is solved.\nProblem: {EXAMPLE}\nSolution: {SOLVED}\n\n"
        f"Solve the first problem in the same way.{REQUEST}"
    )


def test_right_wrong_shows_a_correct_solution_beside_an_incorrect_one():
    assert asked("right_wrong") == (
        f"What is {{2}} + 2?\n\nThese are two solutions of another problem.\nProblem: {EXAMPLE}\n"
        f"Correct solution: {SOLVED}\nIncorrect solution: 20 - 12 = 8 are left. \\boxed{{8}}\n\n"
        f"Solve the first problem.{REQUEST}"
    )


def test_concepts_are_named_before_a_similar_problem_and_the_check():
    text = asked("concepts")
    places = [
        text.index(part) for part in ("Concepts:", "Similar problem:", SOLVED, "Check:", "Now the first", REQUEST)
    ]
    assert places == sorted(places) and text.startswith("What is {2} + 2?\n\nFirst name the concepts")


def test_what_asks_for_the_box_by_itself_is_not_asked_again():
    problem = "2 + 2? Answer inside \\boxed{}."
    assert asked("boxed", problem) == problem
    assert asked("re2", problem) == f"{problem}\nRead the question again: {problem}"
    assert asked("self_ask", problem).endswith("So the final answer is:")
    assert asked("think_answer", "2 + 2? Inside <answer>.") == "2 + 2? Inside <answer>."


@pytest.mark.parametrize("prompt", ASKED)
def test_what_is_left_out_is_the_end_of_the_prompt(prompt):
    assert PROMPTS[prompt].endswith(ASKED[prompt][1])


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_prompt_begins_with_the_problem_as_exports_take_it_to(prompt):
    assert PROMPTS[prompt].startswith("{problem}")
