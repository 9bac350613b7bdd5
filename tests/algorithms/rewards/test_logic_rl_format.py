import pytest

from tinyreason.algorithms.rewards.logic_rl_format import LogicRlFormat
from tinyreason.store import Store

FINE = "<think>a</think><answer>2</answer>"
SHUFFLED = "<answer>2</answer><think>a</think>"
TWICE = "<think>a</think><think>b</think><answer>2</answer>"
BOX = "\\boxed{2}"


def test_the_form_comes_first_then_the_answer(rollouts):
    texts = [FINE, FINE, FINE, SHUFFLED, TWICE, BOX]
    answers = ["2", "3", None, "2", "2", "2"]
    batch = rollouts([9] * 6, correct=[1, 0, 0, 1, 1, 1], texts=texts, answers=answers)
    assert LogicRlFormat()(batch, Store()).tolist() == [3, -0.5, -1, -3, -3, -3]


def test_knights_and_knaves_that_are_not_as_many_as_the_gold_names_cannot_be_read(rollouts):
    gold = "Ann is a knight, Ben is a knave"
    answers = ["Ann is a knave, Ben is a knave", "Ann is a knight"]
    batch = rollouts([9, 9], correct=[0, 0], texts=[FINE, FINE], answers=answers, gold=gold)
    assert LogicRlFormat()(batch, Store()).tolist() == [-0.5, -1]


@pytest.mark.parametrize(
    ("text", "earned"), [("a</think><answer>2</answer>", 3), (FINE, 3), ("<answer>2</answer>", -3)]
)
def test_a_prompt_that_opens_the_thought_leaves_three_tags(rollouts, text, earned):
    batch = rollouts([9], correct=[1], texts=[text])
    assert LogicRlFormat(is_thought_open=True)(batch, Store()).tolist() == [earned]


def test_what_cannot_be_graded_earns_nothing_either_way(rollouts):
    batch = rollouts([9, 9], correct=[float("nan")] * 2, texts=[FINE, BOX])
    assert LogicRlFormat()(batch, Store()).isnan().all()
