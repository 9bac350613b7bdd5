"""Samplers that say which rollouts are trained on, against numbers worked by hand."""

from random import Random

import pytest
import torch
from sampled import PROBLEMS, batch_of

from tinyreason.algorithms.samplers import SAMPLERS
from tinyreason.algorithms.samplers.pods import most_varied
from tinyreason.store import Store

NONE = torch.zeros(16)


def kept_groups(sampler, batch):
    return batch.in_groups(sampler.keep(batch, NONE, Store())).all(dim=1).tolist()


def test_a_balanced_filter_keeps_the_middle():
    batch = batch_of([0, 1, 2, 3], [0] * 4 + [1, 0, 0, 0] + [1, 1, 0, 0] + [1] * 4)
    assert kept_groups(SAMPLERS["balanced_filter"](), batch) == [False, True, True, False]
    assert kept_groups(SAMPLERS["balanced_filter"](low=0.5), batch) == [False, False, True, False]


def test_dynamic_sampling_keeps_groups_whose_rewards_differ():
    rewards = [0.5] * 4 + [1.0, 0.9, 1.0, 1.0] + [0.0, 0.0, 0.0, torch.nan] + [torch.nan, 1.0, 0.0, 1.0]
    batch = batch_of([0, 1, 2, 3], [1] * 16, reward=rewards)
    assert kept_groups(SAMPLERS["dynamic_sampling"](), batch) == [False, True, False, True]


def test_pods_keeps_the_best_and_the_worst():
    assert [[1, 0.9, 0.5, 0.1, 0, 0, 0, 0][n] for n in most_varied([1, 0.9, 0.5, 0.1, 0, 0, 0, 0], 4)] == [1, 0.9, 0, 0]
    batch = batch_of([0], [0] * 8, group_size=8, reward=[1, 0.9, 0.5, 0.1, 0.0, 0.0, 0.0, 0.0])
    batch.trained_rows = 4
    kept = SAMPLERS["pods"]().keep(batch, NONE, Store())
    assert kept.sum() == 4 and kept[:4].tolist() == [True, True, False, False]
    two = SAMPLERS["pods"](rollouts=2).keep(batch, NONE, Store())
    assert two.sum() == 2 and two[0] and two[4:].any()


@pytest.mark.parametrize(("correct", "variance"), [(1, 0.75), (2, 1.0), (0, 0.0)])
def test_vcrl_keeps_by_the_variance_of_the_outcome(correct, variance):
    batch = batch_of([0], [1.0] * correct + [0.0] * (4 - correct))
    for least in (0.5, 0.8, 1.0):
        kept = SAMPLERS["vcrl"](least_variance=least).keep(batch, NONE, Store())
        assert kept.all() == (variance >= least)


def test_vcrl_asks_again_what_was_uncertain():
    sampler, store = SAMPLERS["vcrl"](), Store()
    sampler.observe(batch_of([7, 8], [1, 1, 0, 0] + [1] * 4), NONE, store)
    assert sampler.choose(PROBLEMS, 4, Random(0), store)[0] == 7
    assert store.get("vcrl", "queue") == []
