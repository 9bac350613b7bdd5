"""What samplers decide reaches TRL: the problems, the rows that are trained on, their divisor, the warmth."""

import pytest
import torch
from gradients import gradients
from sessions import session_of

from tinyreason.config.recipe import read_recipe
from tinyreason.trainers.grpo import LeafGRPOTrainer
from tinyreason.trainers.sampler_chain import trained_part

QUICK = (
    *("train.max_steps=2", "train.rollouts_per_step=16", "train.group_size=8", "train.max_completion_tokens=32"),
    *("data.size=6", "train.kl=0", "train.loss=dapo"),
)


def trained(folder, *overrides: str):
    """(trainer, gradients of each step, rollouts, metrics) of two steps on six sandbox problems."""
    config = read_recipe("rlvr").resolve("sandbox", (*QUICK, *overrides))
    with session_of(config, folder) as session, gradients() as found:
        trainer = LeafGRPOTrainer(session, config.data.load(), lambda step, metrics: {}, None)
        trainer.run()
        return trainer, found, session.folder.read_rows("rollouts.jsonl"), session.folder.read_rows("metrics.jsonl")


def output_of(lengths):
    """A scored generation batch as TRL leaves it."""
    mask = torch.arange(4) < torch.tensor(lengths)[:, None]
    advantages = torch.arange(1.0, len(lengths) + 1)
    return {
        "completion_mask": mask.long(),
        "advantages": advantages,
        "num_items_in_batch": mask.sum(),
        "texts": [str(length) for length in lengths],
    }


@pytest.mark.parametrize(
    ("loss", "advantages", "items"), [("dapo", [2, 0, 4], 6), ("cispo", [2, 0, 4], 6), ("dr_grpo", [3, 0, 6], 7)]
)
def test_rows_that_are_kept_come_first_and_the_others_count_in_no_mean(loss, advantages, items):
    kept = torch.tensor([False, True, False, True, False])
    part = trained_part(output_of([1, 2, 3, 4, 4]), kept, 3, loss)
    assert part["texts"] == ["1", "2", "4"]
    assert part["advantages"].tolist() == [0.0, *advantages[::2]]
    assert part["num_items_in_batch"] == items


def test_where_nothing_is_kept_the_step_trains_on_nothing():
    part = trained_part(output_of([1, 2, 3]), torch.zeros(3, dtype=torch.bool), 2, "dapo")
    assert part["advantages"].tolist() == [0.0, 0.0] and part["num_items_in_batch"] == 3


def test_advantages_of_tokens_are_taken_row_by_row():
    output = output_of([1, 2]) | {"advantages": torch.ones(2, 4)}
    assert trained_part(output, torch.tensor([False, True]), 2, "dapo")["advantages"].tolist() == [[0.0] * 4, [1.0] * 4]


def test_half_of_twice_as_many_rollouts_is_trained_on(tmp_path):
    _, found, rollouts, metrics = trained(tmp_path / "run", "samplers=[{kind: pods}]", "train.oversample=2")
    assert len(rollouts) == 2 * 32 and metrics[-1]["sampler/share_kept"] == 0.5
    groups = [rollouts[at : at + 8] for at in range(0, 64, 8)]
    assert all(sum(row["advantage"] != 0 for row in group) <= 4 for group in groups)
    assert all(any(row["advantage"] for row in rollouts if row["step"] == step) for step in (1, 2))
    assert max(gradient.abs().max() for gradient in found[0]) > 0


def test_the_gradient_is_that_of_the_kept_rows_alone(tmp_path):
    """Groups that are all alike have no gradient: kept or not, only the tokens that the loss is divided by differ."""
    pairs = ("train.group_size=2", "train.max_steps=1")
    trainer, plain, rollouts, before = trained(tmp_path / "plain", *pairs)
    assert not trainer.scorer.sampled and not [name for name in before[0] if name.startswith("sampler/")]
    _, ours, again, metrics = trained(tmp_path / "ours", "samplers=[{kind: dynamic_sampling}]", *pairs)
    first, same = rollouts[:16], again[:16]
    assert [row["completion"] for row in first] == [row["completion"] for row in same]
    kept = [row for row in first if any(other["advantage"] for other in first if other["group"] == row["group"])]
    assert 0 < len(kept) < 16, "some groups must be all alike, and some not"
    ratio = sum(row["tokens"] for row in first) / sum(row["tokens"] for row in kept)
    assert metrics[0]["sampler/share_kept"] == len(kept) / 16
    for one, other in zip(plain[0], ours[0], strict=True):
        assert torch.allclose(one * ratio, other, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("words", [(), ("inference.engine=trl",)], ids=str)
def test_the_entropies_of_what_was_sampled_are_those_of_the_model(tmp_path, words):
    trainer, _, _, metrics = trained(tmp_path / "run", "samplers=[{kind: entropy_temperature}]", *words)
    batch = trainer.scorer.batch
    assert batch.mask.sum(dim=1).tolist() == batch.length.tolist()
    assert (batch.entropy[batch.mask] >= 0).all() and (batch.logp[batch.mask] <= 0).all()
    assert not batch.entropy[~batch.mask].any()
    assert metrics[0]["sampler/temperature"] == pytest.approx(
        float(torch.tensor(0.1 * (0.3 - metrics[0]["entropy/mean"])).exp()), rel=5e-3
    )
    assert trainer.temperature == metrics[0]["sampler/temperature"]  # that of the second step


@pytest.mark.parametrize(
    "words", [(), ("train.mask_truncated_completions=true", "train.max_completion_tokens=9")], ids=str
)
def test_what_the_engine_kept_is_what_a_forward_pass_gives_of_truncated_rows_too(tmp_path, words):
    still = ("train.max_steps=1", "train.learning_rate=1e-12")
    trainer, _, _, _ = trained(tmp_path / "run", "samplers=[{kind: entropy_temperature}]", *still, *words)
    batch = trainer.scorer.batch
    assert batch.mask.sum(dim=1).tolist() == batch.length.tolist() and (batch.truncated.any() or not words)
    place = {example.id: number for number, example in enumerate(trainer.scorer.examples)}
    tokenizer = trainer.session.tokenizer
    prompts = [
        tokenizer.apply_chat_template(
            trainer.train_dataset[place[example.id]]["prompt"], add_generation_prompt=True, return_dict=True
        )["input_ids"]
        for example in batch.examples
    ]
    trainer.set_temperature(1.0)
    logp, entropy = trainer.scored(prompts, batch.ids)
    assert torch.allclose(batch.logp, logp.where(batch.mask, 0.0), atol=2e-4)
    assert torch.allclose(batch.entropy, entropy.where(batch.mask, 0.0), atol=2e-4)


@pytest.mark.parametrize("words", [(), ("adapter.init=pissa",)], ids=str)
def test_the_reference_is_that_of_the_kl_penalty_and_not_the_policy(tmp_path, words, monkeypatch):
    """With PiSSA, which moves the base, it is the adapter "ref"."""
    kl, after = [], LeafGRPOTrainer.after_rollouts
    monkeypatch.setattr(
        LeafGRPOTrainer, "after_rollouts", lambda self, output: kl.append(output) or after(self, output)
    )
    options = ("advantage.kind=flowrl", "train.loss=grpo", "train.kl=0.1", *words)
    trainer, found, _, _ = trained(tmp_path / "run", *options)
    batch = trainer.scorer.batch  # of the second step, when the two have parted
    of_penalty = kl[1]["ref_per_token_logps"].where(batch.mask, 0.0)
    assert torch.allclose(batch.ref_logp, of_penalty, atol=2e-4)
    assert (batch.logp - batch.ref_logp).abs().max() > 1e-2
    assert max(gradient.abs().max() for gradient in found[0]) > 0
