import pytest
import torch

from tinyreason.algorithms.rewards.rent import Rent
from tinyreason.cli.train_output import caveats
from tinyreason.config.recipe import read_recipe
from tinyreason.store import Store


def test_it_is_the_mean_entropy_below_0_whatever_is_correct(batch_of):
    batch = batch_of(["xx", ""], [0.0, torch.nan], entropy=[[0.2, 1.0, 0.6], [0.5, 9.0, 9.0]])
    assert Rent()(batch, Store()).tolist() == pytest.approx([-0.6, -0.5])


def test_a_run_without_a_validation_set_says_that_a_collapse_would_go_unseen():
    config = read_recipe("rlvr").resolve("sandbox", ("rewards=[{kind: rent}]",))
    assert any("a collapse onto one answer would go unseen" in line for line in caveats(config))
