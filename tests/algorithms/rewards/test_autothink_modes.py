import pytest
import torch

from tinyreason.algorithms.rewards.autothink_modes import AutothinkModes
from tinyreason.grading.thought import thinks
from tinyreason.store import Store

THOUGHT, AT_ONCE = "<think>1+1=2</think>\\boxed{2}", "\\boxed{2}"


def test_without_thinking_there_is_more_to_win_and_to_lose(rollouts):
    batch = rollouts([9] * 4, correct=[1, 0, 1, 0], texts=[AT_ONCE, AT_ONCE, THOUGHT, THOUGHT])
    assert AutothinkModes()(batch, Store()).tolist() == [2.0, -1.0, 1.0, 0.0]


def test_a_mode_that_takes_over_earns_less(rollouts):
    # three of four answer at once: (0.75 - 0.5)/0.5 = 0.5 is taken from them
    batch = rollouts([9] * 4, correct=[1, 0, torch.nan, 1], texts=[AT_ONCE] * 3 + [THOUGHT])
    assert AutothinkModes()(batch, Store()).tolist() == pytest.approx([1.5, -1.5, torch.nan, 1.0], nan_ok=True)
    alone = rollouts([9] * 2, correct=[1, 0], texts=[THOUGHT] * 2)
    assert AutothinkModes()(alone, Store()).tolist() == [0.0, -1.0]


def test_in_stage_3_correct_ones_are_to_be_short_and_incorrect_ones_long(rollouts):
    # z of 10 and 30 is -0.7071 and 0.7071: exp(0.0354), 1 - exp(-0.0354)
    batch = rollouts([10, 30], correct=[1, 0])
    assert AutothinkModes(stage=3)(batch, Store()).tolist() == pytest.approx([1.0360, 0.0347], abs=1e-4)


@pytest.mark.parametrize(
    ("text", "is_open", "expected"),
    [
        (THOUGHT, False, True),
        (AT_ONCE, False, False),
        ("<think>\n</think>2", False, False),
        ("</think>2", True, False),
        ("so</think>2", True, True),
        ("so it never ends", True, True),
        ("<think>so it never ends", False, True),
        ("<|channel|>final<|message|>2", False, False),
        ("<|channel|>analysis<|message|>so<|end|><|start|>assistant<|channel|>final<|message|>2", False, True),
    ],
)
def test_a_thought_with_something_in_it_is_told_from_none(text, is_open, expected):
    assert thinks(text, is_open) is expected
