import pytest
import torch

from tinyreason.algorithms.advantages.rl_zvp import RlZvp
from tinyreason.cli.train_output import caveats
from tinyreason.config.recipe import read_recipe
from tinyreason.store import Store

H = [0.2, 1.0, 0.6]


def advantages(batch, given=0.0):
    return RlZvp()(batch, torch.full((len(batch.texts),), given), Store())


def test_a_solved_group_is_raised_where_it_was_unsure_and_an_unsolved_one_lowered_where_it_was_sure(batch_of):
    batch = batch_of(["xx"] * 4, [1.0, 1, 0, 0], group_size=2, entropy=[H] * 4)
    found = advantages(batch)
    assert torch.allclose(found[:2], torch.tensor([[0.02, 0.1, 0.06]] * 2))
    assert torch.allclose(found[2:], torch.tensor([[-0.08, 0, -0.04]] * 2))


def test_a_truncated_completion_of_an_unsolved_group_gets_0(batch_of):
    batch = batch_of(["xx"] * 2, [0.0, 0], entropy=[H] * 2)
    batch.truncated = torch.tensor([True, False])
    assert advantages(batch).abs().sum(dim=1).tolist() == pytest.approx([0, 0.12])


@pytest.mark.parametrize("correct", [[1.0, 0], [1.0, torch.nan], [0.0, torch.nan], [torch.nan] * 2])
def test_other_groups_stay_as_they_are(correct, batch_of):
    batch = batch_of(["xx", "x"], correct, entropy=[H, H])
    assert advantages(batch, 0.5).tolist() == [[0.5] * 3, [0.5, 0.5, 0]]


def test_a_sampler_that_leaves_those_groups_out_is_told_of():
    words = ("advantage=[{kind: grpo}, {kind: rl_zvp}]", "samplers=[{kind: dynamic_sampling}]")
    said = list(caveats(read_recipe("rlvr").resolve("sandbox", words)))
    assert any("sampler dynamic_sampling leaves out the groups that advantage rl_zvp is for" in line for line in said)
