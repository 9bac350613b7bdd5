import pytest
import torch

from tinyreason.algorithms.advantages.xrpo import Xrpo
from tinyreason.store import Store

MEANS = [-0.9, -0.5, -0.7, -0.3]
"""Of two tokens each; their mean is −0.6: η = e^−0.3, e^0.1, e^−0.1, e^0.3."""


def test_an_unlikely_correct_completion_gains_up_to_the_cap(batch_of):
    batch = batch_of(["x"] * 4, [1.0, 1, 1, 0], logp=[[2 * mean, 0] for mean in MEANS])
    given = torch.tensor([0.5, 0.5, 0.5, -1.5])
    # 1 − e^−0.3 = 0.2592, more than 0.5 · 0.5; likelier than the mean: nothing; 1 − e^−0.1 = 0.0952
    assert Xrpo()(batch, given, Store()).tolist() == pytest.approx([0.75, 0.5, 0.5952, -1.5], abs=1e-4)
    assert Xrpo(cap=9)(batch, given, Store()).tolist() == pytest.approx([0.7592, 0.5, 0.5952, -1.5], abs=1e-4)
    assert Xrpo(lam=0.5)(batch, given, Store()).tolist() == pytest.approx([0.6296, 0.5, 0.5476, -1.5], abs=1e-4)
    spread = given[:, None].expand(4, 2)
    assert torch.equal(Xrpo()(batch, spread, Store()), Xrpo()(batch, given, Store())[:, None].expand(4, 2))


def test_what_has_no_advantage_and_what_cannot_be_graded_gains_nothing(batch_of):
    batch = batch_of(["x"] * 4, [1.0, 1, 0, torch.nan], logp=[[-2.0, 0], [-0.2, 0], [-9.0, 0], [-80.0, 0]])
    found = Xrpo(cap=9)(batch, torch.tensor([0.0, -0.1, -1.0, 0.0]), Store())
    assert found.tolist() == pytest.approx([0, -0.1, -1, 0])
    # means −1, −0.1, −4.5 of those graded, −1.8667: the first is likelier than that
    assert Xrpo()(batch, torch.ones(4), Store()).tolist() == [1, 1, 1, 1]
