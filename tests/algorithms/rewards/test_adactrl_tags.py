import pytest

from tinyreason.algorithms.rewards.adactrl_tags import AdactrlTags
from tinyreason.store import Store

CHANNEL = "<|channel|>analysis<|message|>[Hard] 1<|end|><|start|>assistant<|channel|>final<|message|>\\boxed{2}"
EASY, HARD, NONE = "[Easy]<think>1</think>\\boxed{2}", "<think>[Hard] 1</think>\\boxed{2}", "\\boxed{2}"


def test_only_an_easy_tag_and_a_correct_answer_pay_for_brevity(rollouts):
    # 3 of 4 correct is above 0.625, so [Easy] fits; longest 80; r_len of 40: (1 + cos(π/2))/2 = 0.5; of 80: 0
    batch = rollouts([40, 80, 40, 40], correct=[1, 1, 1, 0], texts=[EASY, EASY, HARD, EASY])
    assert AdactrlTags()(batch, Store()).tolist() == pytest.approx([1 + 0.25 + 0.5, 1.5, 1.0, -1 + 0.5], abs=1e-6)


@pytest.mark.parametrize("hard", [HARD, CHANNEL])
def test_in_a_group_that_is_mostly_incorrect_the_hard_tag_fits_and_no_tag_costs_a_half(rollouts, hard):
    batch = rollouts([40, 80, 80, 80], correct=[1, 0, 0, 0], texts=[NONE, hard, EASY, NONE])
    assert AdactrlTags()(batch, Store()).tolist() == pytest.approx([0.5, -0.5, -1.0, -1.5])
