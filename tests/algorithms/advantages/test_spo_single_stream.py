import json

import pytest
import torch

from tinyreason.algorithms._belief import OWNER, belief, chance
from tinyreason.algorithms.advantages.spo_single_stream import SpoSingleStream
from tinyreason.config.preconditions import check_problems
from tinyreason.config.recipe import read_recipe
from tinyreason.errors import ConfigError
from tinyreason.example import Example
from tinyreason.store import Store

KNOWN = Example("k", (), "2", meta={"scores": [1.0, 1, 1, 0, 0, 0, 0, 0]})


def test_a_belief_starts_from_earlier_samples_or_from_one_half():
    assert belief(KNOWN, Store()) == pytest.approx((3.1111, 4.8889), abs=1e-4)
    assert chance(KNOWN, Store()) == pytest.approx(0.3889, abs=1e-4)
    assert belief(Example("0", (), "2"), Store()) == (0.5, 0.5)


def test_the_belief_before_the_visit_is_the_baseline_and_then_learns(batch_of):
    # 2^(−0.01/0.06) = 0.8909. Visits of two, one of which cannot be graded: c − v of 1 − 0.3889 and 0 − 0.5
    batch, store = batch_of(["x"] * 4, [1.0, torch.nan, torch.nan, 0], group_size=2), Store()
    batch.examples = [KNOWN] * 2 + [Example("n", (), "2")] * 2
    found = SpoSingleStream(memory=0.8909)(batch, torch.zeros(4), store)
    # 0.6111 and −0.5: mean 0.0556, standard deviation 0.7857
    assert found.tolist() == pytest.approx([0.7071, 0, 0, -0.7071], abs=1e-4)
    store = Store(json.loads(json.dumps(store.state)))
    assert belief(KNOWN, store) == pytest.approx((3.7717, 4.3555), abs=1e-3)
    assert chance(KNOWN, store) == pytest.approx(0.4641, abs=1e-4)
    assert store.get(OWNER, "n") == pytest.approx([0.44545, 1.44545])


def test_a_surprise_weighs_more_than_what_was_expected(batch_of):
    batch, store = batch_of(["x"] * 8, [1.0] * 8, group_size=4), Store()
    batch.examples = [Example("a", (), "2")] * 4 + [Example("b", (), "2")] * 4
    store.put(OWNER, "a", [9.0, 1.0])
    found = SpoSingleStream()(batch, torch.zeros(8), store)
    assert (found[4:] > found[:4]).all()  # 0.5 above what was believed, and 0.1
    assert store.get(OWNER, "a") == pytest.approx([0.96 * 9 + 4, 0.96])


def test_problems_that_never_come_back_are_refused():
    config = read_recipe("rlvr").resolve("sandbox", ("advantage.kind=spo_single_stream", "train.max_steps=2"))
    with pytest.raises(ConfigError, match="spo_single_stream compares a problem with its visits in earlier steps"):
        check_problems(config, [Example(str(n), (), "2") for n in range(64)])
