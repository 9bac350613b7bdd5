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
