"""A card that overflows is asked for less at once, and the gradient is the same.

The sandbox model is given hooks of torch that raise `torch.OutOfMemoryError` as a full card would: when more than so
many rows go through its first layer while completions are sampled, scored, or on the way back.
"""

import json
from functools import partial

import gradients
import pytest
from gradients import assert_close, fill_up

from tinyreason.errors import MemoryLimit
from tinyreason.trainers import oom, shared_prefixes, trl_seam
from tinyreason.trainers import rollouts as rollouts_module

QUICK = ("train.max_steps=1", "train.rollouts_per_step=16", "train.max_completion_tokens=32", "train.kl=0.1")
SFT = ("train.max_steps=1", "train.batch_size=8", "data.size=16")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(shared_prefixes, "pack_rows", shared_prefixes.pack_rows)
    monkeypatch.setattr(trl_seam.utils, "_CHUNKED_LOGPROB_CHUNK_SIZE", 32768)


def train(load, folder, recipe: str, *overrides: str, fill=None):
    """(gradients of each step, rollouts, what was said, overflows) of a training, on a card that overflows or not."""
    change = partial(fill_up, place=fill[0], most_rows=fill[1], spared=(*fill[2:], 0)[0]) if fill else lambda model: []
    return gradients.train(load, folder, recipe, *overrides, change=change)


@pytest.mark.parametrize(
    ("place", "loss"),
    [
        *(("backward", loss) for loss in ("dapo", "bnpo", "grpo", "dr_grpo")),
        ("scoring", "dr_grpo"),
        *(pytest.param("scoring", loss, marks=pytest.mark.stress) for loss in ("dapo", "bnpo", "grpo")),
    ],
)
def test_the_same_rollouts_give_the_same_gradient_in_parts(load, tmp_path, place, loss):
    options = (*QUICK, f"train.loss={loss}", "train.entropy_bonus=0.01", "train.micro_batch_size=8")
    whole, rollouts, _, _ = train(load, tmp_path / "whole", "one_shot_rlvr", *options)
    parts, again, heard, overflows = train(load, tmp_path / "parts", "one_shot_rlvr", *options, fill=(place, 3))
    assert overflows == [8, 4]
    assert again == rollouts and len(rollouts) == 16
    assert_close(parts, whole)
    assert "2 rows at a time" in heard[-1]


def test_what_a_failed_backward_pass_has_already_added_is_taken_back(load, tmp_path):
    options = (*QUICK, "train.micro_batch_size=8")
    whole, _, _, _ = train(load, tmp_path / "whole", "one_shot_rlvr", *options)
    parts, _, _, overflows = train(load, tmp_path / "parts", "one_shot_rlvr", *options, fill=("backward", 4, 1))
    assert overflows == [8], "the second micro-batch, when the first was in the gradients"
    assert_close(parts, whole)


def test_rollouts_are_sampled_fewer_at_a_time_in_whole_groups(load, tmp_path, hold_rows):
    _, whole, _, _ = train(load, tmp_path / "whole", "one_shot_rlvr", *QUICK)
    asked = hold_rows(rollouts_module, 4)
    _, rollouts, heard, _ = train(load, tmp_path / "run", "one_shot_rlvr", *QUICK)
    assert asked == [16, 8, 4, 4, 4, 4]
    assert rollouts == whole
    rows = [json.loads(line) for line in (tmp_path / "run" / "rollouts.jsonl").open()]
    assert [row["group"] for row in rows] == [0] * 8 + [1] * 8
    assert "4 completions at a time" in heard[-1]


def test_supervised_rows_add_up_to_the_same_gradient(load, tmp_path):
    whole, _, _, _ = train(load, tmp_path / "whole", "reasoning_sft", *SFT)
    parts, _, heard, overflows = train(load, tmp_path / "parts", "reasoning_sft", *SFT, fill=("backward", 2))
    assert overflows == [8, 4]
    assert_close(parts, whole)
    assert "2 rows at a time" in heard[-1]
    steps = [json.loads((tmp_path / name / "metrics.jsonl").read_text()) for name in ("whole", "parts")]
    assert steps[0]["tokens_seen"] == pytest.approx(steps[1]["tokens_seen"])
    assert steps[0]["loss"] == pytest.approx(steps[1]["loss"], rel=1e-5)


@pytest.mark.stress
def test_what_worked_is_remembered_and_nothing_overflows_again(load, tmp_path):
    train(load, tmp_path / "first", "one_shot_rlvr", *QUICK, fill=("backward", 4))
    _, _, heard, overflows = train(load, tmp_path / "second", "one_shot_rlvr", *QUICK, fill=("backward", 4))
    assert overflows == []
    assert len(heard) == 1 and "4 rows at a time, as it turned out before" in heard[0]
    known = json.loads((tmp_path / "cache" / "tinyreason" / "memory.json").read_text())
    assert list(known) == ["CPU · sandbox · none · grpo · 32 tokens · 16 of 16 rows"]
    _, _, heard, overflows = train(
        load, tmp_path / "third", "one_shot_rlvr", *QUICK, "train.max_completion_tokens=16", fill=("backward", 8)
    )
    assert overflows == [16], "other lengths are another matter"


def test_a_card_that_cannot_hold_one_row_is_one_sentence_after_smaller_logits_were_tried(load, tmp_path):
    with pytest.raises(MemoryLimit, match="single row") as caught:
        train(load, tmp_path / "run", "one_shot_rlvr", *QUICK, fill=("backward", 0))
    assert "train.max_completion_tokens" in str(caught.value)
    assert trl_seam.logit_chunk() == oom.SMALLEST_CHUNK


def test_another_error_is_not_mistaken_for_it(load, tmp_path):
    def fail(*_):
        raise RuntimeError("size mismatch")

    model, tokenizer = load()
    model.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="size mismatch"):
        train(lambda: (model, tokenizer), tmp_path / "run", "one_shot_rlvr", *QUICK)
