import pytest

from tinyreason.algorithms.rewards.choice_letter import ChoiceLetter
from tinyreason.store import Store


@pytest.mark.parametrize(
    ("text", "gold", "earned"),
    [
        ("A is too small, B too large, so (C).", "C", 1),
        ("A is too small, so (C).", "(B)", 0),
        ("<think>B or D?</think>It is D.", "D", 1),
        ("<think>B", "B", 0),  # the thought never ends
        ("\\boxed{B} and not C", "B", 1),
        ("\\boxed{\\text{(B)}}", "B", 1),
        ("<answer>E</answer> F", "E", 1),
        ("\\boxed{42} A", "A", 0),
        ("none of these", "A", 0),
        ("I'd say J", "J", 1),
        ("Apples, Bens", "A", 0),
    ],
)
def test_the_last_letter_that_stands_alone_is_the_choice(rollouts, text, gold, earned):
    assert ChoiceLetter()(rollouts([9], correct=[0], texts=[text], gold=gold), Store()).tolist() == [earned]


def test_truncated_before_a_box_there_is_no_choice_yet(rollouts):
    texts = ["First A", "\\boxed{A} since"]
    batch = rollouts([9, 9], correct=[0, 0], texts=texts, gold="A", truncated=(0, 1))
    assert ChoiceLetter()(batch, Store()).tolist() == [0, 1]


def test_a_gold_answer_without_a_letter_cannot_be_graded(rollouts):
    assert ChoiceLetter()(rollouts([9], correct=[1], gold="12"), Store()).isnan().all()
