"""What holds for every sampler, and for several together."""

import json
from random import Random
from types import SimpleNamespace

import pytest
import torch
from sampled import PROBLEMS, batch_of

from tinyreason.algorithms.samplers import SAMPLERS, check_samplers, in_turn, that_decide
from tinyreason.config.recipe import read_recipe
from tinyreason.errors import ConfigError
from tinyreason.store import Store

CHOOSING = [kind for kind, sampler in SAMPLERS.items() if that_decide([sampler()], "choose")]
KEEPING = [kind for kind, sampler in SAMPLERS.items() if that_decide([sampler()], "keep")]


def taught(kind, steps=6):
    """A store after some steps in which the first problems were solved and the others not, and what was asked."""
    sampler, store, asked = SAMPLERS[kind](), Store(), []
    for step in range(1, steps + 1):
        numbers = sampler.choose(PROBLEMS, 3, Random(f"0/{step}"), store)
        correct = [float(number < 6) for number in numbers for _ in range(4)]
        batch = batch_of(numbers, correct, step=step)
        sampler.observe(batch, batch.correct - 0.5, store)
        asked.append(numbers)
        store = Store(json.loads(json.dumps(store.state)))  # as a checkpoint keeps it
    return store, asked


@pytest.mark.parametrize("kind", CHOOSING)
def test_a_step_asks_as_many_problems_as_it_should(kind):
    _, asked = taught(kind)
    assert all(len(numbers) == 3 and set(numbers) <= set(range(12)) for numbers in asked)
    assert len(SAMPLERS[kind]().choose(PROBLEMS[:2], 5, Random(0), Store())) == 5  # more than there are


@pytest.mark.parametrize("kind", SAMPLERS)
def test_what_was_learned_survives_a_checkpoint_and_decides_what_is_next(kind):
    (one, first), (other, second) = taught(kind), taught(kind)
    assert first == second and one.state == other.state
    asked = [SAMPLERS[kind]().choose(PROBLEMS, 3, Random("0/7"), store) for store in (one, other)]
    assert asked[0] == asked[1]
    assert all(value == value for value in SAMPLERS[kind]().metrics(one).values())


@pytest.mark.parametrize("kind", KEEPING)
@pytest.mark.parametrize("value", [0.0, 1.0, torch.nan])
def test_a_batch_that_is_all_alike_does_not_break_it(kind, value):
    batch = batch_of([0, 1], [value] * 8)
    kept = SAMPLERS[kind]().keep(batch, torch.zeros(8), Store())
    assert kept.shape == (8,) and kept.dtype == torch.bool
    if value != value:
        assert not kept.any()


@pytest.mark.parametrize("kind", KEEPING)
def test_what_can_be_learned_from_is_kept(kind):
    batch = batch_of([0], [1, 1, 0, 0])
    assert SAMPLERS[kind]().keep(batch, torch.zeros(4), Store()).all()


@pytest.mark.parametrize("kind", SAMPLERS)
def test_it_says_whether_it_goes_by_what_is_correct(kind):
    sampler, found = SAMPLERS[kind](), []
    for correct in ([1, 0, 1, 0, 1, 1, 1, 1], [torch.nan] * 8):
        batch, store = batch_of([0, 1], correct, reward=[0.5, 0, 0.5, 0, 1, 1, 1, 1]), Store()
        sampler.observe(batch, batch.reward - 0.5, store)
        kept = sampler.keep(batch, batch.reward - 0.5, store).tolist() if kind in KEEPING else None
        found.append((store.state, kept, sampler.temperature(1.0, batch, store)))
    assert (found[0] == found[1]) == (not sampler.reads_gold)


def test_problems_in_turn_come_once_before_any_comes_again():
    store, asked = Store(), []
    for step in range(4):
        asked += in_turn(5, 5, Random(step), store)
    rounds = [asked[at : at + 5] for at in range(0, 20, 5)]
    assert all(sorted(numbers) == [0, 1, 2, 3, 4] for numbers in rounds) and len(set(map(tuple, rounds))) > 1
    assert in_turn(3, 2, Random(0), Store(), lambda number: True)  # where all are to be skipped it still ends


def run_of(**train):
    """As much of a run's config as samplers look at."""
    defaults = {"oversample": 1.0, "group_size": 8, "temperature": 1.0}
    return SimpleNamespace(
        train=SimpleNamespace(**defaults | train),
        data=SimpleNamespace(is_one_prompt=False, kind="problems"),
        rewards=(),
    )


@pytest.mark.parametrize(
    ("kinds", "train", "why"),
    [
        (["mopps", "sec_bandit"], {}, "both decide which problems are asked"),
        (["pods", "pods"], {}, "name one twice"),
        (["mopps"], {"oversample": 2.0}, "no sampler says which"),
    ],
)
def test_samplers_that_contradict_are_refused(kinds, train, why):
    with pytest.raises(ValueError, match=why):
        check_samplers([SAMPLERS[kind]() for kind in kinds], run_of(**train))


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("samplers=[{kind: pods}]",), "type train.oversample=2, or samplers.0.rollouts=M"),
        (("samplers=[{kind: pods, rollouts: 16}]",), "keeps all of a group of 16"),
        (("samplers=[{kind: mopp}]",), "samplers.0.kind 'mopp' is unknown; did you mean 'mopps'"),
        (("samplers=[{kind: balanced_filter, low: 0.8, high: 0.2}]",), "no group can be kept"),
        (("samplers=[{kind: entropy_temperature}]", "train.temperature=2"), "is not between them"),
        (("samplers=[{kind: no_resample}]", "rewards=[{kind: hapo_length}]"), "a solved one does not come back"),
        (("samplers=[{kind: spo_single_stream}]",), "type advantage.kind=spo_single_stream"),
    ],
)
def test_a_config_says_in_one_sentence_what_cannot_be(words, why):
    with pytest.raises(ConfigError, match=why):
        read_recipe("rlvr").resolve("sandbox", words)


def test_one_problem_leaves_nothing_to_choose():
    with pytest.raises(ConfigError, match="sampler mopps chooses among problems"):
        read_recipe("one_shot_rlvr").resolve("sandbox", ("samplers=[{kind: mopps}]",))


def test_sft_takes_no_samplers():
    with pytest.raises(ConfigError, match="takes no rewards, advantage, samplers or rollouts"):
        read_recipe("reasoning_sft").resolve("sandbox", ("samplers=[{kind: mopps}]",))
