import pytest

from tinyreason.algorithms.rewards.format import Format, is_formatted
from tinyreason.store import Store

WELL_FORMED = "<think>\n1+1=2\n</think>\n\\boxed{2}"

CHANNELS = "<|channel|>analysis<|message|>1+1=2<|end|><|start|>assistant<|channel|>final<|message|>so it is \\boxed{2}"


@pytest.mark.parametrize(
    ("text", "formatted"),
    [
        (WELL_FORMED, True),
        (WELL_FORMED.removeprefix("<think>"), True),  # the opening tag may be part of the prompt
        ("\\boxed{2}", False),
        ("<think>1+1=2", False),
        ("<think>\\boxed{2}</think>", False),
        ("<think>\\boxed{2}</think>\\boxed{2}", False),
        (WELL_FORMED + WELL_FORMED, False),
        (WELL_FORMED + "\\boxed{3}", False),
        ("", False),
        (CHANNELS, True),
        (CHANNELS.partition("<|end|>")[0] + "\\boxed{2}", False),  # never says anything
        (CHANNELS.replace("1+1=2", "\\boxed{2}"), False),
        (CHANNELS + CHANNELS, False),
        ("<|channel|>final<|message|>\\boxed{2}", False),  # without a thought
    ],
)
def test_reasoning_closes_once_and_one_box_follows(text, formatted):
    assert is_formatted(text) is formatted


def test_an_incorrect_answer_in_the_asked_form_earns_full_marks(batch_of):
    reward = Format()(batch_of([WELL_FORMED, "\\boxed{2}"], correct=[0.0, 1.0]), Store())
    assert reward.tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("text", "formatted"),
    [
        (WELL_FORMED, True),
        ("<think>\n\\boxed{2}\n</think>\n\\boxed{2}", True),
        ("<think>\n1+1=2\n</think>\n2", True),
        ("<think>1+1=2</think>\\boxed{2}", False),
        (WELL_FORMED + WELL_FORMED, False),
        ("\\boxed{2}", False),
        (CHANNELS, True),
        (CHANNELS + CHANNELS, False),
    ],
)
def test_without_the_box_only_the_end_of_the_reasoning_counts_as_tinas_reward_has_it(batch_of, text, formatted):
    assert Format(box=False)(batch_of([text]), Store()).tolist() == [float(formatted)]
