import torch

from tinyreason.algorithms.rewards.correctness import Correctness
from tinyreason.store import Store


def test_a_right_answer_earns_1_a_wrong_one_0_and_an_unjudged_one_nan(batch_of):
    reward = Correctness()(batch_of(["a", "b", "c"], correct=[1.0, 0.0, torch.nan]), Store())
    assert reward[:2].tolist() == [1.0, 0.0]
    assert reward[2].isnan()
