import pytest
import torch

from tinyreason.algorithms.advantages.disco import Disco
from tinyreason.cli.train_output import caveats
from tinyreason.config.recipe import read_recipe
from tinyreason.store import Store

LOGP = [[-0.7, -0.1], [-0.2, -0.6], [-0.9, -0.1], [-2.0, 0.0]]
"""Means −0.4, −0.4, −0.5, −1."""


@pytest.mark.parametrize(("tau", "lowered"), [(1, [-0.6457, -0.3543]), (10, [-0.515, -0.485])])
def test_likely_incorrect_ones_are_lowered_most_and_correct_ones_raised_alike(batch_of, tau, lowered):
    batch = batch_of(["x"] * 4, [1.0, 0, 1, 0], logp=LOGP)
    found = Disco(tau=tau)(batch, torch.zeros(4), Store()) / 4
    assert found.tolist() == pytest.approx([0.5, lowered[0], 0.5, lowered[1]], abs=1e-4)


def test_one_sided_groups_get_0_and_what_cannot_be_graded_is_not_there(batch_of):
    batch = batch_of(["x"] * 8, [1.0, 1, 1, torch.nan, 0, 0, 1, torch.nan], group_size=4, logp=[*LOGP[1:], LOGP[0]] * 2)
    found = Disco(tau=1)(batch, torch.zeros(8), Store())
    # of three: s −0.4, −0.5: e^−0.4/(e^−0.4 + e^−0.5) = 0.525
    assert found.tolist() == pytest.approx([0] * 4 + [-3 * 0.525, -3 * 0.475, 3, 0], abs=1e-3)


def test_another_loss_is_told_of():
    said = {
        loss: list(caveats(read_recipe("rlvr").resolve("sandbox", ("advantage.kind=disco", f"train.loss={loss}"))))
        for loss in ("grpo", "dapo")
    }
    sentence = "advantage disco is the published method with train.loss=grpo; dapo weighs rollouts by their length"
    assert sentence in said["dapo"] and not any("published" in line for line in said["grpo"])
