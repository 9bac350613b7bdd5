"""What holds for every reward."""

import pickle

import pytest
import torch

from tinyreason.rewards import REWARDS
from tinyreason.store import Store

TEXTS = ["", "é日本🎉\x00", "\\boxed{2}", "<think>" * 50, "<think>1+1=2</think>\\boxed{2}", "x" * 10_000]
CORRECT = [0.0, 0.0, 1.0, 0.0, 1.0, 0.0]


@pytest.mark.parametrize("kind", REWARDS)
def test_it_is_finite_deterministic_and_survives_a_pickle(kind, batch_of):
    reward = REWARDS[kind]()
    first, again = (copy(batch_of(TEXTS, CORRECT), Store()) for copy in (reward, pickle.loads(pickle.dumps(reward))))
    assert first.shape == (len(TEXTS),)
    assert first.isfinite().all()
    assert torch.equal(first, again)


@pytest.mark.parametrize("kind", REWARDS)
def test_a_right_answer_is_never_below_a_wrong_one_of_the_same_text(kind, batch_of):
    text = ["<think>1+1=2</think>\\boxed{2}"] * 2
    right, wrong = REWARDS[kind]()(batch_of(text, [1.0, 0.0]), Store())
    assert right >= wrong


@pytest.mark.parametrize("kind", REWARDS)
def test_the_order_inside_a_group_changes_nothing(kind, batch_of):
    order = torch.randperm(len(TEXTS), generator=torch.Generator().manual_seed(0)).tolist()
    straight = REWARDS[kind]()(batch_of(TEXTS, CORRECT), Store())
    shuffled = REWARDS[kind]()(batch_of([TEXTS[n] for n in order], [CORRECT[n] for n in order]), Store())
    assert torch.equal(straight[order], shuffled)
