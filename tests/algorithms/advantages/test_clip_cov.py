import pytest
import torch

from tinyreason.algorithms.advantages.clip_cov import ClipCov
from tinyreason.config.recipe import read_recipe
from tinyreason.errors import ConfigError
from tinyreason.store import Store

A = torch.tensor([2.0, -2.0])
LOGP = [[-0.1, -0.1, -2.1], [-0.1, -2.1, -2.1]]
"""Mean −1.1: covariances 2, 2, −2 and −2, 2, 2."""


def left_out(batch, **options):
    return (ClipCov(**options)(batch, A, Store()) == 0).tolist()


def test_tokens_whose_covariance_is_in_the_band_are_left_out_as_many_as_may_be(batch_of):
    batch = batch_of(["xx"] * 2, reward=[1, 0], logp=LOGP)
    assert left_out(batch, share=1.0) == [[True, True, False], [False, True, True]]
    assert sum(map(sum, left_out(batch))) == 1  # ⌊2e-4 · 6⌋ = 0, so one
    assert sum(map(sum, left_out(batch, share=0.5))) == 3
    assert not any(map(any, left_out(batch, share=1.0, low=2.01)))
    assert not any(map(any, left_out(batch, share=1.0, high=1.99)))


def test_the_choice_follows_from_seed_and_step(batch_of):
    batch = batch_of(["xx"] * 2, reward=[1, 0], logp=LOGP)
    assert left_out(batch) == left_out(batch)
    found = []
    for batch.step in range(1, 9):
        found.append(left_out(batch))
    assert any(one != found[0] for one in found) and len({str(left_out(batch, seed=seed)) for seed in range(9)}) > 1


def test_what_cannot_be_graded_is_in_no_mean_and_is_not_left_out(batch_of):
    batch = batch_of(["xx"] * 3, reward=[1, 0, torch.nan], logp=[*LOGP, [-50.0] * 3])
    found = ClipCov(share=1.0)(batch, torch.tensor([2.0, -2.0, 9.0]), Store())
    assert (found == 0).tolist() == [[True, True, False], [False, True, True], [False] * 3]


def test_a_band_that_is_empty_and_several_updates_are_refused():
    for words, why in (
        ("advantage=[{kind: grpo}, {kind: clip_cov, low: 5}]", "low=5 is not below high=5"),
        ("advantage=[{kind: grpo}, {kind: clip_cov}]", "holds only for rollouts that are trained on once"),
    ):
        with pytest.raises(ConfigError, match=why):
            read_recipe("rlvr").resolve("sandbox", (words, "trl.num_iterations=2"))
