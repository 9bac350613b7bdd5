import torch

from tinyreason.algorithms.rewards.correctness import Correctness
from tinyreason.store import Store


def test_a_correct_answer_earns_1_an_incorrect_one_0_and_an_ungraded_one_nan(batch_of):
    reward = Correctness()(batch_of(["a", "b", "c"], correct=[1.0, 0.0, torch.nan]), Store())
    assert reward[:2].tolist() == [1.0, 0.0]
    assert reward[2].isnan()
