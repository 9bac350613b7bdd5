import pytest

from tinyreason.algorithms.rewards.date_distance import DateDistance
from tinyreason.store import Store


def earned(rollouts, text, step=1, gold="2024-11", **options):
    (found,) = DateDistance(**options)(rollouts([9], correct=[0], texts=[text], gold=gold, step=step), Store()).tolist()
    return found


@pytest.mark.parametrize(
    ("text", "near"), [("2025-02", 0.7408), ("2024-08-15", 0.7408), ("2024-11", 1), ("in 2024", 0), ("2024-13", 0)]
)
def test_three_months_are_worth_less_than_none(rollouts, text, near):
    assert earned(rollouts, text, form=False) == pytest.approx(near, abs=1e-4)


def test_alpha_moves_to_its_value(rollouts):
    options = {"form": False, "alpha_start": 0.07}
    assert earned(rollouts, "2025-02", 1, **options) == pytest.approx(0.8106, abs=1e-4)  # exp(-0.21)
    assert earned(rollouts, "2025-02", 50, **options) == pytest.approx(0.7408, abs=1e-4)
    assert earned(rollouts, "2025-02", 99, **options) == pytest.approx(0.7408, abs=1e-4)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<think>a</think><answer>2024-11</answer>", 1.1),  # 1 + 0.05 + 2 · 0.025
        ("2024-11", 1.05),
        ("<think>a</think><answer>no event</answer>", 0.05 - 0.2),
        ("a b c d e a b c d e a b c d e 2024-11", 1.05 - 0.3 * (1 - 6 / 12)),  # 12 sequences, 6 different
        (" ".join(f"w{n}" for n in range(961)) + " 2024-11", 1.05 - 0.15),  # 62 words too many
    ],
)
def test_form_counts_a_little_length_and_repetition_cost(rollouts, text, value):
    assert earned(rollouts, text) == pytest.approx(value, abs=1e-4)


def test_a_gold_answer_that_is_not_a_date_cannot_be_graded(rollouts):
    found = earned(rollouts, "2024-11", gold="2")
    assert found != found
