"""Samplers that choose problems or the temperature, against numbers worked by hand."""

from collections import Counter
from random import Random

import pytest
import torch
from sampled import PROBLEMS, batch_of

from tinyreason.algorithms.samplers import SAMPLERS
from tinyreason.algorithms.samplers.greso_skip import skip_probability
from tinyreason.store import Store

NONE = torch.zeros(8)


def test_the_belief_of_mopps_moves_as_worked_by_hand():
    sampler, store = SAMPLERS["mopps"](), Store()
    sampler.observe(batch_of([0], [1, 1, 0, 0, 0, 0, 0, 0], group_size=8), NONE, store)
    assert sampler.belief("p0", store) == (3, 7)
    sampler.observe(batch_of([0], [1, 1, 1, 1, 0, 0, 0, 0], group_size=8), NONE, store)
    assert sampler.belief("p0", store) == (6, 8)
    assert sampler.belief("p1", store) == (1, 1)


def test_mopps_asks_what_is_half_solved():
    sampler, store = SAMPLERS["mopps"](memory=1), Store()
    for number in range(12):
        correct = [0.5, 1.0, 0.0][number % 3]
        for _ in range(20):
            sampler.observe(batch_of([number], [1.0] * int(4 * correct) + [0.0] * int(4 - 4 * correct)), NONE, store)
    asked = Counter(n % 3 for step in range(20) for n in sampler.choose(PROBLEMS, 4, Random(step), store))
    assert asked == {0: 80}


@pytest.mark.parametrize(("visits", "probability"), [(0, 0), (1, 0.5), (3, 0.875), (8, 0.99)])
def test_greso_skips_the_more_surely_the_longer_nothing_was_learned(visits, probability):
    assert skip_probability(0.5, visits) == pytest.approx(probability, abs=1e-9 if visits < 8 else 1e-3)


def test_greso_counts_visits_in_a_row_and_moves_its_bases():
    sampler, store = SAMPLERS["greso_skip"](), Store()
    sampler.observe(batch_of([0, 1], [1] * 4 + [0, 0, 1, 1]), NONE, store)  # half easy > 1/12, none hard < 1/6
    assert store.get("greso_skip", "visits p0") == ["easy", 1] and store.get("greso_skip", "visits p1") == ["", 0]
    assert sampler.q("easy", store) == pytest.approx(0.49) and sampler.q("hard", store) == pytest.approx(0.51)
    sampler.observe(batch_of([0, 1], [1] * 4 + [0] * 4), NONE, store)
    assert store.get("greso_skip", "visits p0") == ["easy", 2] and store.get("greso_skip", "visits p1") == ["hard", 1]
    sampler.observe(batch_of([0], [0] * 4), NONE, store)
    assert store.get("greso_skip", "visits p0") == ["hard", 1]


def test_greso_asks_what_taught_something():
    sampler, store = SAMPLERS["greso_skip"](), Store()
    for _ in range(6):
        for number in range(6):
            sampler.observe(batch_of([number], [1] * 4), NONE, store)
    asked = Counter(n < 6 for step in range(20) for n in sampler.choose(PROBLEMS, 3, Random(step), store))
    assert asked[False] > 3 * asked[True]
    assert sampler.metrics(store)["skipped"] >= 0


def test_sec_moves_as_worked_by_hand():
    sampler, store = SAMPLERS["sec_bandit"](temperature_of_choice=0.4), Store()
    sampler.observe(batch_of([0], [1] * 4), torch.full((4,), 0.8), store)
    assert sampler.weights(["d0", "d1"], store) == pytest.approx([0.7311, 0.2689], abs=1e-4)
    sampler.observe(batch_of([1], [1] * 4), torch.full((4,), -0.6), store)
    assert [store.get("sec_bandit", f"Q {arm}") for arm in ("d0", "d1")] == pytest.approx([0.2, 0.3])
    assert sampler.weights(["d0", "d1"], store) == pytest.approx([0.4378, 0.5622], abs=1e-4)


def test_dump_scores_as_worked_by_hand():
    sampler, store = SAMPLERS["dump_ucb"](), Store()
    for arm, count, mean in (("d0", 16, 0.5), ("d1", 4, 0.2)):
        store.put("dump_ucb", f"sizes {arm}", [mean] * count)
        store.put("dump_ucb", f"rollouts {arm}", count)
    assert sampler.weights(["d0", "d1"], store) == pytest.approx([0.114, 0.886], abs=1e-3)
    sampler.observe(batch_of([0], [1] * 4), torch.tensor([0.5, -0.5, 0.5, -0.5]), store)
    assert store.get("dump_ucb", "rollouts d0") == 20 and len(store.get("dump_ucb", "sizes d0")) == 20


def test_the_deficit_of_a_domain_is_as_worked_by_hand():
    sampler, store = SAMPLERS["domain_deficit_weights"](), Store()
    store.put(sampler.kind, "rewards d0", [[0.5], [0.4], [0.3], [0.2]])  # the newest first: m = 0.2125
    store.put(sampler.kind, "rewards d1", [[0.45]])
    deficits = {arm: sampler.deficit(arm, store) for arm in ("d0", "d1")}
    assert deficits == pytest.approx({"d0": 25 / 48 - 0.2125, "d1": 25 / 48 - 0.45})
    store.put(sampler.kind, "deficits", deficits)
    assert sampler.weights(["d0", "d1"], store) == pytest.approx([0.6882, 0.3118], abs=1e-4)


def test_the_weights_of_domains_are_renewed_every_few_steps():
    sampler, store = SAMPLERS["domain_deficit_weights"](every_steps=2), Store()
    for step in (1, 2):
        assert store.get(sampler.kind, "deficits") is None
        sampler.observe(batch_of([0, 1], [1] * 4 + [0] * 4, step=step), NONE, store)
    weights = sampler.weights(["d0", "d1"], store)
    assert weights[1] > 0.8 and sum(weights) == pytest.approx(1)


@pytest.mark.parametrize("kind", ["sec_bandit", "dump_ucb", "domain_deficit_weights"])
def test_a_class_that_is_not_in_the_data_is_named(kind):
    with pytest.raises(ValueError, match=r"samplers\.0\.by=domian is not known of problem .* did you mean 'domain'"):
        SAMPLERS[kind](by="domian").check_examples(PROBLEMS, "samplers.0")
    with pytest.raises(ValueError, match="nothing to choose"):
        SAMPLERS[kind]().check_examples(PROBLEMS[:1], "samplers.0")


def test_the_temperature_follows_the_entropy():
    sampler, batch = SAMPLERS["entropy_temperature"](), batch_of([0], [1] * 4)
    assert sampler.temperature(1.0, batch, Store()) == pytest.approx(0.9802, abs=1e-4)
    assert sampler.temperature(0.6, batch, Store()) == 0.6
    batch.entropy[:, 1:], batch.mask[:, 1:] = 100.0, False  # what is behind the end does not count
    assert sampler.temperature(1.0, batch, Store()) == pytest.approx(0.9802, abs=1e-4)


def test_what_is_solved_does_not_come_back_before_all_is():
    sampler, store = SAMPLERS["no_resample"](), Store()
    sampler.observe(batch_of([0, 1], [1] * 4 + [1, 1, 1, 0]), NONE, store)
    assert store.get("no_resample", "solved") == ["p0"]
    asked = {n for step in range(6) for n in sampler.choose(PROBLEMS[:3], 2, Random(step), store)}
    assert asked == {1, 2}
    sampler.observe(batch_of([1, 2], [1] * 8), NONE, store)
    assert {n for step in range(6) for n in sampler.choose(PROBLEMS[:3], 2, Random(step), store)} == {0, 1, 2}


def test_single_stream_asks_by_how_uncertain_the_belief_is_and_none_twice():
    sampler, store = SAMPLERS["spo_single_stream"](), Store()
    for number, belief in enumerate(([999.0, 1], [1.0, 999], [1.0, 1], [1.0, 4])):
        store.put("spo_single_stream", f"p{number}", belief)
    asked = Counter(sampler.choose(PROBLEMS[:4], 1, Random(step), store)[0] for step in range(2000))
    # weights √(0.999 · 0.001) + 0.05 = 0.0816 twice, 0.55 and √0.16 + 0.05 = 0.45, of 1.1632 in all
    assert [asked[number] / 2000 for number in range(4)] == pytest.approx([0.0702, 0.0702, 0.4728, 0.3868], abs=0.03)
    assert sorted(sampler.choose(PROBLEMS[:4], 4, Random(0), store)) == [0, 1, 2, 3]
    assert sampler.metrics(store)["p_mean"] == pytest.approx((0.999 + 0.001 + 0.5 + 0.2) / 4)
