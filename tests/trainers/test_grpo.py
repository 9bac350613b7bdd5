"""The seam to TRL, and what two steps leave behind."""

import json
import math
from itertools import cycle
from types import SimpleNamespace

import pytest
import torch
from datasets import Dataset
from sessions import session_of

from tinyreason import trainers
from tinyreason.config.recipe import read_recipe
from tinyreason.config.train_config import TrainGrpo, TrainSft
from tinyreason.errors import ConfigError
from tinyreason.grading.grader import Grader
from tinyreason.runs.folder import RunFolder
from tinyreason.store import Store
from tinyreason.trainers import rollouts

QUICK = ("train.max_steps=2", "train.rollouts_per_step=16", "train.max_completion_tokens=64")


def train(folder, *overrides: str, seed: int = 0):
    """Two steps of GRPO on one sandbox problem; (model, metrics, rollouts, start tensors)."""
    config = read_recipe("one_shot_rlvr").resolve("sandbox", (*QUICK, *overrides), seed)
    with session_of(config, folder, seed) as session:
        start = {name: p.detach().clone() for name, p in session.model.named_parameters()}
        trainers.train(session, config.data.load(), watch=lambda step, metrics: {})
    rows = {name: [json.loads(line) for line in (folder / name).open()] for name in ("metrics.jsonl", "rollouts.jsonl")}
    return session.model, rows["metrics.jsonl"], rows["rollouts.jsonl"], start


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(tmp_path_factory.mktemp("grpo") / "run")


def test_every_option_of_ours_is_an_option_of_trl():
    from dataclasses import fields

    from trl import GRPOConfig, SFTConfig

    ours_alone = {"kind", "micro_batch_size", "max_completion_tokens", "batch_size", "truncate_ratio", "thinkprune"}
    ours_alone |= {"rollout_dtype", "oversample", "mask_rate", "mask_warmup", "mask_with"}
    ours_alone |= {"record_logp", "normalize", "loss", "reposition", "reference_update_rate", "token_budget"}
    for train, config in ((TrainGrpo, GRPOConfig), (TrainSft, SFTConfig)):
        assert set(train.model_fields) - set(train.trl_names) <= ours_alone
        assert set(train.trl_names) <= set(train.model_fields)
        assert set(train.trl_names.values()) <= {field.name for field in fields(config)}


def test_the_rewards_have_variance_so_that_there_is_something_to_learn(trained):
    _, metrics, _, _ = trained
    assert any(row["reward/std"] > 0 for row in metrics)
    assert any(row["gradient/norm"] > 0 for row in metrics)


def test_the_sizes_of_the_advantages_are_those_that_are_written_down(trained):
    _, metrics, rollouts, _ = trained
    for step in metrics:
        sizes = [abs(row["advantage"]) for row in rollouts if row["step"] == step["step"]]
        assert step["advantage/abs_mean"] == pytest.approx(sum(sizes) / len(sizes), rel=1e-5)
        assert step["advantage/share_zero"] == sum(size == 0 for size in sizes) / len(sizes)
    assert any(step["advantage/abs_mean"] > 0 for step in metrics)


def test_the_time_of_scoring_stands_beside_that_of_the_step_it_is_part_of(trained):
    _, metrics, _, _ = trained
    assert all(0 < row["time/score_s"] < row["time/step_s"] for row in metrics)


def test_adapter_tensors_change_and_base_tensors_do_not(trained):
    model, _, _, start = trained
    for name, parameter in model.named_parameters():
        if name in start:
            assert torch.equal(parameter, start[name]) != (".default." in name), name


def test_every_rollout_is_written_with_its_rewards_and_our_advantage(trained):
    _, _, rollouts, _ = trained
    assert len(rollouts) == 32
    assert {row["step"] for row in rollouts} == {1, 2}
    assert len({row["prompt"] for row in rollouts}) == 1
    for at in range(0, 32, 8):
        group = rollouts[at : at + 8]
        assert len({row["group"] for row in group}) == 1
        rewards = [row["reward"] for row in group]
        assert rewards == [float(row["correct"]) for row in group] == [row["rewards"]["correctness"] for row in group]
        mean = sum(rewards) / 8
        assert [row["advantage"] for row in group] == pytest.approx([reward - mean for reward in rewards], abs=1e-6)


def test_the_loss_is_made_of_our_advantages_not_of_trls(tmp_path, monkeypatch):
    from tinyreason.algorithms.advantages.dr_grpo import DrGrpo

    monkeypatch.setattr(DrGrpo, "__call__", lambda self, batch, advantages, store: torch.zeros_like(advantages))
    model, metrics, _, start = train(tmp_path / "run", "train.kl=0")
    assert any(row["reward/std"] > 0 for row in metrics)
    assert all(torch.equal(p, start[name]) for name, p in model.named_parameters() if ".default." in name)


def test_each_step_stays_under_the_limit_of_its_stage(tmp_path):
    options = ("train.thinkprune=[30,6]", "rewards.0.kind=soft_overlong", "rewards.0.buffer_tokens=1")
    _, _, rollouts, _ = train(tmp_path / "run", *options)
    for step, limit in ((1, 30), (2, 6)):
        rows = [row for row in rollouts if row["step"] == step]
        assert max(row["tokens"] for row in rows) == limit
        assert all(row["reward"] == -(row["tokens"] == limit) for row in rows)  # rewards see the limit of the step


def test_the_sum_of_the_rewards_is_what_is_compared_and_each_is_written_down(tmp_path):
    options = ("rewards=[{kind: correctness}, {kind: kimi_length, weight: 0.4, gate: correctness}]",)
    _, _, rollouts, _ = train(tmp_path / "run", *options)
    for row in rollouts:
        kimi = row["rewards"]["kimi_length"] if row["correct"] else 0
        assert row["reward"] == pytest.approx(row["correct"] + 0.4 * kimi, abs=1e-6)


def test_a_history_that_was_saved_between_two_batches_gives_the_same_rewards(tmp_path, batch_of):
    from tinyreason.trainers.scorer import Scorer

    config = read_recipe("one_shot_rlvr").resolve("sandbox", ("rewards=[{kind: hapo_length}]",))
    texts = ["1\\boxed{2}", "\\boxed{2}", "\\boxed{3}"] * 8
    ids = [[5] * (10 + n) + [0] for n in range(24)]

    def scorer(grader, store):
        said = cycle(texts)
        tokenizer = SimpleNamespace(decode=lambda ids, **_: next(said))
        return Scorer(config, batch_of(["x"]).examples, grader, RunFolder(tmp_path / "run"), tokenizer, {0}, store)

    def score(scorer, shift):
        moved = ids[shift:] + ids[:shift]
        return scorer.score(moved, [0] * 24)

    with Grader() as grader:
        whole = scorer(grader, Store())
        first, second = score(whole, 0), score(whole, 9)
        halted = scorer(grader, Store())
        assert score(halted, 0) == first
        assert score(scorer(grader, Store(json.loads(json.dumps(halted.store.state)))), 9) == second
        assert score(scorer(grader, Store()), 9) != second


def test_the_same_seed_trains_the_same_adapter_and_another_a_different_one(trained, tmp_path):
    first = {name: p for name, p in trained[0].named_parameters() if ".default." in name}
    again = dict(train(tmp_path / "again")[0].named_parameters())
    other = dict(train(tmp_path / "other", seed=1)[0].named_parameters())
    assert all(torch.equal(p, again[name]) for name, p in first.items())
    assert not all(torch.equal(p, other[name]) for name, p in first.items())


def test_micro_batches_give_the_same_rollouts_and_nearly_the_same_adapter(trained, tmp_path):
    model, _, rollouts, _ = trained
    halved, _, rollouts_halved, _ = train(tmp_path / "halved", "train.micro_batch_size=8")
    assert [row["completion"] for row in rollouts[:16]] == [row["completion"] for row in rollouts_halved[:16]]
    ours, theirs = dict(model.named_parameters()), dict(halved.named_parameters())
    for name in ours:
        if "lora_B.default" in name:
            assert (ours[name] - theirs[name]).abs().max() < 0.3 * ours[name].abs().max()


def test_a_token_counts_by_how_much_likelier_it_is_than_when_it_was_sampled(tmp_path, monkeypatch):
    asked = rollouts.RolloutSampler.taken_values
    options = ("train.rollout_dtype=bfloat16", "train.max_steps=1", "train.kl=0")
    _, (plain,), rows, _ = train(tmp_path / "plain", *options)

    def as_if_rarer(self, mask):
        log_probs, entropies = asked(self, mask)
        return log_probs - math.log(1.1), entropies

    monkeypatch.setattr(rollouts.RolloutSampler, "taken_values", as_if_rarer)
    _, (weighted,), again, _ = train(tmp_path / "weighted", *options)
    assert [row["completion"] for row in rows] == [row["completion"] for row in again]
    assert weighted["gradient/norm"] == pytest.approx(1.1 * plain["gradient/norm"], rel=1e-3)


def test_any_engine_samples_the_same_rollouts(trained, tmp_path):
    _, _, rows, _ = train(tmp_path / "hf", "inference.engine=hf")
    assert [row["completion"] for row in rows] == [row["completion"] for row in trained[2]]


@pytest.mark.parametrize(
    ("options", "is_theirs"),
    [
        (("trl.repetition_penalty=1.2",), True),
        (("trl.generation_kwargs.no_repeat_ngram_size=3",), True),
        (("trl.top_p=0.5", "trl.top_k=3", "trl.min_p=0.1", "trl.generation_kwargs.min_new_tokens=60"), False),
    ],
)
def test_trl_samples_what_is_not_done_here(tmp_path, monkeypatch, options, is_theirs):
    make, made = rollouts.make_engine, []
    monkeypatch.setattr(rollouts, "make_engine", lambda *given: made.append(1) or make(*given))
    _, _, rows, _ = train(tmp_path / "run", "train.max_steps=1", *options)
    assert bool(made) != is_theirs
    assert len(rows) == 16
    if not is_theirs:
        assert min(row["tokens"] for row in rows) >= 60


def test_an_option_trl_does_not_know_is_one_sentence(tmp_path):
    with pytest.raises(ConfigError, match="betta"):
        train(tmp_path / "run", "trl.betta=0.1")


ADAPTERS_AND_BASES = [
    *[(kind, base) for kind in ("lora", "lora_xs", "tinylora", "miss") for base in ("none", "nf4", "int8")],
    *[("lora rslora=true", "nf4"), ("lora dora=true", "nf4"), ("lora init=pissa", "none")],
]


@pytest.mark.parametrize(("adapter", "base"), ADAPTERS_AND_BASES)
def test_every_adapter_trains_on_every_base_in_float32_from_a_kl_of_zero(tmp_path, adapter, base):
    kind, *switches = adapter.split()
    section = {"kind": kind} | dict(switch.split("=") for switch in switches)
    text = ", ".join(f"{key}: {value}" for key, value in section.items())
    overrides = (f"adapter={{{text}}}", f"model.quantize={base}", "train.learning_rate=1e-2", "train.kl=0.1")
    model, metrics, _, start = train(tmp_path / "run", *overrides)
    changed = {name for name, p in model.named_parameters() if name in start and not torch.equal(p, start[name])}
    ours = {name for name, p in model.named_parameters() if p.requires_grad}
    assert changed and changed <= ours
    assert all(model.get_parameter(name).dtype == torch.float32 for name in ours)
    assert metrics[0]["kl/mean"] == pytest.approx(0, abs=1e-6)
    assert metrics[1]["kl/mean"] > 1e-6


def test_a_trained_start_is_what_the_kl_penalty_holds_to(tmp_path):
    from tinyreason.config.recipe import read_recipe

    adapter = read_recipe("one_shot_rlvr").resolve("sandbox").adapter
    model, _, _, _ = train(tmp_path / "first", "train.learning_rate=1e-2")
    adapter.save(model, tmp_path / "adapter")
    _, metrics, _, _ = train(tmp_path / "second", f"adapter.start={tmp_path / 'adapter'}", "train.learning_rate=1e-2")
    assert metrics[0]["kl/mean"] == pytest.approx(0, abs=1e-6)
    assert metrics[1]["kl/mean"] > 1e-6


def test_rollouts_are_sampled_without_dropout_and_trained_on_with_it(trained, tmp_path, monkeypatch):
    adapter = read_recipe("one_shot_rlvr").resolve("sandbox").adapter
    adapter.save(trained[0], tmp_path / "adapter")
    make, modes = rollouts.make_engine, []

    def make_engine(model, *options):
        modes.append(any(module.training for module in model.modules()))
        return make(model, *options)

    monkeypatch.setattr(rollouts, "make_engine", make_engine)
    found = {}
    for dropout in (0.0, 0.9):
        options = (f"adapter.start={tmp_path / 'adapter'}", f"adapter.dropout={dropout}", "train.max_steps=1")
        model, metrics, rows, _ = train(tmp_path / str(dropout), *options)
        found[dropout] = [row["completion"] for row in rows], metrics[0]["gradient/norm"]
        assert model.training
    assert modes == [False, False]
    assert found[0.0][0] == found[0.9][0]
    assert found[0.0][1] != found[0.9][1]


@pytest.mark.parametrize("trainer", ["grpo", "sft"])
def test_building_the_trainer_rounds_no_number_of_an_adapter_on_a_quantised_base(tmp_path, trainer):
    from tinyreason.trainers.grpo import LeafGRPOTrainer
    from tinyreason.trainers.sft import LeafSFTTrainer, tokenised

    recipe = {"grpo": "one_shot_rlvr", "sft": "reasoning_sft"}[trainer]
    config = read_recipe(recipe).resolve("sandbox", ("model.quantize=nf4",))
    with session_of(config, tmp_path / "run") as session:
        trained = {name: p for name, p in session.model.named_parameters() if p.requires_grad}
        for p in trained.values():
            p.data.normal_()
        before = {name: p.detach().clone() for name, p in trained.items()}
        if trainer == "grpo":
            LeafGRPOTrainer(session, config.data.load(), lambda *_: {}, None)
        else:
            rows, _ = tokenised(config, session.tokenizer, config.data.load()[:4])
            rows = [{name: row[name] for name in ("input_ids", "labels")} for row in rows]
            LeafSFTTrainer(session, lambda *_: {}, None, train_dataset=Dataset.from_list(rows))
        assert all(torch.equal(p, before[name]) for name, p in trained.items())
