"""An average that follows the trained numbers, and the step back before the last update on a batch of rollouts."""

from types import SimpleNamespace

import pytest
import torch

from tests.trainers.test_grpo import train
from tinyreason.config.recipe import read_recipe
from tinyreason.errors import ConfigError
from tinyreason.trainers.followers import SURE, Reposition, RunningAverage, is_unusual


def one_number(value: float) -> torch.nn.Module:
    model = torch.nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(value)
    return model


def at(step: int) -> SimpleNamespace:
    return SimpleNamespace(global_step=step)


def test_three_steps_are_taken_back_by_a_fifth_before_the_fourth():
    model, told = one_number(1.0), []
    back = Reposition(model, 0.8, 4, lambda *found: told.append(found))
    seen = []
    for step in range(8):
        back.on_step_begin(None, at(step), None)
        model.weight.data += 0.1
        back.on_step_end(None, at(step + 1), None)
        seen.append(round(model.weight.item(), 6))
    # 1 → 1.3 → 1 + 0.8 · 0.3 = 1.24, then the fourth; and from 1.34 again
    assert seen == [1.1, 1.2, 1.24, 1.34, 1.44, 1.54, 1.58, 1.68]
    assert told == [("reposition/alpha", 0.8)] * 2


def test_when_the_entropy_jumps_only_the_last_update_counts_for_good():
    model = one_number(1.0)
    back = Reposition(model, 0.8, 2, lambda *_: None)
    for batch in range(SURE):
        for step in (2 * batch + 1, 2 * batch + 2):  # the second update of a batch has an entropy of its own
            back.on_log(None, at(step), None, {"entropy": 9.0 if step % 2 == 0 else 0.5 + (batch == SURE - 1)})
        assert back.alpha == (0.8 if batch < SURE - 1 else 0.0)
    back.on_log(None, at(2 * SURE + 1), None, {"entropy": 0.1})
    back.on_step_begin(None, at(2 * SURE), None)
    model.weight.data += 0.1
    back.on_step_end(None, at(2 * SURE + 1), None)
    assert back.alpha == 0 and model.weight.item() == 1


@pytest.mark.parametrize(("values", "wanted"), [([1, 2, 3], True), ([1, 4, 3], False), ([2, 2, 2], False)])
def test_the_newest_is_unusual_one_population_deviation_above_the_mean_itself_included(values, wanted):
    # (3 − 2) / √(2/3) = 1.22; (3 − 8/3) / 1.247 = 0.27; a deviation of 0
    assert is_unusual(values) is wanted


def test_the_average_goes_a_part_of_the_way_each_step_and_stands_in_for_the_trained_numbers():
    model = one_number(1.0)
    average = RunningAverage(model, 0.25)
    for value, wanted in ((2.0, 1.25), (3.0, 1.6875)):  # 1 + ¼ · 1; 1.25 + ¼ · 1.75
        model.weight.data.fill_(value)
        average.on_step_end(None, None, None)
        with average.standing_in():
            assert model(torch.ones(1, 1)).item() == wanted
        assert model.weight.item() == value


def test_the_kl_penalty_holds_to_the_average(tmp_path):
    kinds = {}
    for rate in (0, 0.5, 1):
        _, metrics, _, _ = train(tmp_path / str(rate), "train.kl=0.01", f"train.reference_update_rate={rate}")
        kinds[rate] = metrics[1]["kl/mean"]  # after one step, on the rollouts of the second
    assert kinds[1] == 0 < kinds[0.5] < kinds[0]


def test_the_adapter_is_put_back_between_two_updates_on_the_same_rollouts(tmp_path):
    once = ("train.max_steps=1", "trl.num_iterations=2")
    plain, _, _, start = train(tmp_path / "plain", *once)
    back, metrics, _, _ = train(tmp_path / "back", *once, "train.reposition=0.75")
    moved = {name: p for name, p in back.named_parameters() if p.requires_grad}
    for name, parameter in plain.named_parameters():
        if parameter.requires_grad:
            assert torch.allclose(moved[name], torch.lerp(start[name], parameter, 0.75), atol=1e-7)
            assert torch.equal(moved[name], start[name]) == torch.equal(parameter, start[name])
    assert metrics[0]["reposition/alpha"] == 0.75


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train.reposition=0.8",), "type trl.num_iterations=4"),
        (("train.reposition=0.8", "trl.num_iterations=4", "trl.gradient_accumulation_steps=2"), "leave out trl.grad"),
        (("train.kl=0", "train.reference_update_rate=0.1"), "moves a reference that nothing is held to"),
    ],
)
def test_what_has_nothing_to_follow_is_refused_with_one_sentence(words, said):
    with pytest.raises(ConfigError, match=said):
        read_recipe("rlvr").resolve("sandbox", words)
