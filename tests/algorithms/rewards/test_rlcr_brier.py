import pytest

from tinyreason.algorithms.rewards.rlcr_brier import RlcrBrier
from tinyreason.store import Store


def sure(q):
    return f"<think>a</think>\n<answer>2</answer>\n<confidence>{q}</confidence>"


def test_half_a_point_each_for_form_answer_and_honesty(rollouts):
    texts = [sure("0.8"), sure(".2"), sure(0.9), "<think>a</think><answer>2</answer>"]
    batch = rollouts([9] * 4, correct=[1, 0, 0, 1], texts=texts)
    assert RlcrBrier()(batch, Store()).tolist() == pytest.approx([1.48, 0.98, 0.595, 0], abs=1e-6)


@pytest.mark.parametrize("q", ["", "80%", "1.5", "-0.1", "nan", "0.5 or 0.6", "0.5</confidence><confidence>0.6"])
def test_a_confidence_that_is_not_one_number_from_0_to_1_earns_nothing(rollouts, q):
    assert RlcrBrier()(rollouts([9], correct=[1], texts=[sure(q)]), Store()).tolist() == [0]


def test_what_cannot_be_graded_is_nan(rollouts):
    assert RlcrBrier()(rollouts([9], correct=[float("nan")], texts=[sure(1)]), Store()).isnan().all()


def test_of_all_confidences_the_honest_one_earns_most(rollouts):
    levels = [n / 10 for n in range(11)]
    correct, incorrect = (
        RlcrBrier()(rollouts([9] * 11, correct=[c] * 11, texts=[sure(q) for q in levels]), Store()) for c in (1, 0)
    )
    for honest in range(11):
        expected = levels[honest] * correct + (1 - levels[honest]) * incorrect
        assert expected.argmax().item() == honest
