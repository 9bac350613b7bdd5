"""Rows that share what they begin with have the log-probabilities and gradients that TRL gives rows side by side."""

import json
from contextlib import nullcontext
from copy import deepcopy

import pytest
import torch
import transformers
from gradients import assert_close, train
from tiny_models import SHAPE
from trl.trainer.utils import add_fused_lm_head

from tinyreason.adapters.lora import Lora
from tinyreason.adapters.lora_xs import LoraXs
from tinyreason.adapters.miss import Miss
from tinyreason.adapters.new_token import NewToken
from tinyreason.adapters.tinylora import Tinylora
from tinyreason.algorithms.advantages.dr_grpo import DrGrpo
from tinyreason.models.fast_linear import fast_linears
from tinyreason.models.packed_rows import is_taken_whole
from tinyreason.trainers import rollouts as sampling
from tinyreason.trainers import shared_prefixes
from tinyreason.trainers.shared_prefixes import log_probs, obstacle, pack_rows, probe_packing, together

VOCAB, KEEP = 90, 5
LETTERS = {letter: 5 + n for n, letter in enumerate("abcdefghijklmnopqrstuvwxyz")}
ROWS = {  # prompt|completion, · = padding, x = a token that is masked, as of a truncated completion
    "ragged": ("abc|defgh", "abc|dek··", "·ab|d····", "·ab|defgh", "abc|defgh", "bcd|defg·"),
    "one token": ("·ab|c····",),
    "all alike": ("abc|defgh",) * 4,
    "nothing alike": ("abc|defgh", "·bd|jklmn", "··q|rst··"),
    "masked": ("abc|defgh", "abc|xxxxx", "·bd|xxxxx", "abc|de···"),
}
ARCHITECTURES = ("Llama", "Qwen2", "Qwen3", "Mistral", "Gemma", "Gemma3Text", "Phi3", "SmolLM3")
ADAPTERS = {
    "lora": Lora(rank=4, targets="all-linear"),
    "dora": Lora(rank=4, targets="mlp", dora=True),
    "lora_xs": LoraXs(rank=4, targets="all-linear"),
    "miss": Miss(rank=4, targets="all-linear"),
    "tinylora": Tinylora(rank=2, targets="all-linear"),
    "new_token": NewToken(token="d", words=("a",)),
}


class Letters:
    """The tokenizer of these rows, as an adapter asks it."""

    def get_vocab(self):
        return LETTERS

    def __call__(self, text, **options):
        return {"input_ids": [LETTERS[letter] for letter in text if letter in LETTERS]}


def rows_of(name):
    """(ids, mask), each (rows, 3 + KEEP)."""
    texts = [text.replace("|", "") for text in ROWS[name]]
    ids = torch.tensor([[LETTERS.get(letter, 0) for letter in text] for text in texts])
    return ids, torch.tensor([[letter not in "·x" for letter in text] for text in texts]).long()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Returns the folder of a tiny model of an architecture, with weights large enough to tell rows apart."""
    made = {}

    def make(architecture, **changes):
        key = (architecture, *changes.items())
        if key not in made:
            shape = SHAPE | {"vocab_size": VOCAB, "num_key_value_heads": 1, "head_dim": 32, "pad_token_id": 0}
            config = getattr(transformers, f"{architecture}Config")(**(shape | {"initializer_range": 0.2} | changes))
            torch.manual_seed(0)
            model = transformers.AutoModelForCausalLM.from_config(config)
            made[key] = tmp_path_factory.mktemp("model")
            model.save_pretrained(made[key])
        return made[key]

    return make


def tiny(folder, quantize="none", dtype=torch.float32):
    options = {"nf4": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}, "int8": {"load_in_8bit": True}}
    quantization = transformers.BitsAndBytesConfig(**options[quantize]) if quantize != "none" else None
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, quantization_config=quantization, attn_implementation="sdpa"
    )
    for layer in model.modules():
        layer.support_avx512bf16_for_cpu = False  # else bitsandbytes computes NF4 in bfloat16 where the CPU can
    return model


def adapted(model, adapter="lora"):
    """The model with a trained adapter, as TRL would hold it."""
    add_fused_lm_head(model, temperature=0.7, outputs=("log_probs", "entropy"))
    model = ADAPTERS[adapter].attach(model, 0, Letters()).train()
    torch.manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.1)
    return model


def by_trl(model, ids, mask):
    labels = ids.masked_fill(mask == 0, -100)
    labels[:, :-KEEP] = -100
    output = model(input_ids=ids, attention_mask=mask, labels=labels, fused_lm_head=True)
    return output.log_probs[:, -KEEP:], output.entropy[:, -KEEP:]


def by_sharing(model, ids, mask, way=None):
    return log_probs(model.get_base_model(), pack_rows(ids, mask, KEEP, 16, way), 0.7, bonus=True)


def gradients(model, values):
    """Log-probs, entropies, and the gradient of a loss in which every token has another weight, in one vector."""
    model.zero_grad()
    torch.manual_seed(2)
    sum((value * torch.randn_like(value)).sum() for value in values).backward()
    gradient = torch.cat([p.grad.flatten().float() for p in model.parameters() if p.requires_grad])
    return *(value.detach() for value in values), gradient


def assert_same(ours, theirs, relative):
    for one, other in zip(ours, theirs, strict=True):
        assert other.norm() > 0
        assert (one - other).norm() <= relative * other.norm()


@pytest.mark.parametrize("way", ["trees", "rows", "whole"])
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_and_every_kind_of_rows(folder, architecture, rows, way):
    model, (ids, mask) = adapted(tiny(folder(architecture))), rows_of(rows)
    assert obstacle(model.get_base_model(), ids.shape[1]) is None
    theirs = gradients(model, by_trl(model, ids, mask))
    with fast_linears(model):
        assert_same(gradients(model, by_sharing(model, ids, mask, way)), theirs, 1e-4)


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize(("quantize", "relative"), [("none", 1e-4), ("nf4", 1e-4), ("int8", 1e-1)])
def test_every_adapter_on_every_base(folder, adapter, quantize, relative):
    if quantize not in ("none", *ADAPTERS[adapter].quantized_bases):
        pytest.skip("refused by the config")
    model, (ids, mask) = adapted(tiny(folder("Llama"), quantize), adapter), rows_of("ragged")
    theirs = gradients(model, by_trl(model, ids, mask))
    with fast_linears(model):
        assert_same(gradients(model, by_sharing(model, ids, mask)), theirs, relative)


def test_in_bfloat16_it_is_about_as_near_to_float32_as_trl_is(folder):
    model, (ids, mask) = adapted(tiny(folder("Llama"), dtype=torch.bfloat16)), rows_of("ragged")
    exact = deepcopy(model).float()
    wanted, theirs = gradients(exact, by_trl(exact, ids, mask)), gradients(model, by_trl(model, ids, mask))
    for linears in (nullcontext(), fast_linears(model)):
        with linears:
            ours = gradients(model, by_sharing(model, ids, mask))
        for one, other, truth in zip(ours, theirs, wanted, strict=True):
            assert (one - truth).norm() <= 2 * (other - truth).norm()


@pytest.mark.parametrize("reentrant", [True, False])
def test_layers_that_are_checkpointed_are_recomputed_with_the_same_sharing(folder, reentrant):
    model, (ids, mask) = adapted(tiny(folder("Qwen3"))), rows_of("ragged")
    theirs = gradients(model, by_trl(model, ids, mask))
    base = model.get_base_model()
    base.gradient_checkpointing_enable({"use_reentrant": reentrant})
    base.enable_input_require_grads()
    assert_same(gradients(model, by_sharing(model, ids, mask)), theirs, 1e-4)


def test_without_its_adapter_the_model_is_the_reference(folder):
    model, (ids, mask) = adapted(tiny(folder("Llama"))), rows_of("ragged")
    with torch.no_grad(), model.disable_adapter(), fast_linears(model):
        assert_same(by_sharing(model, ids, mask), by_trl(model, ids, mask), 1e-4)


def test_each_beginning_is_there_once_in_a_tree_and_each_distinct_row_once_behind_its_prompt():
    ids, mask = rows_of("ragged")
    as_trees, as_rows, whole = (pack_rows(ids, mask, KEEP, 1, way) for way in ("trees", "rows", "whole"))
    # abc + defgh k, ab + defgh, bcd + defg; abc + defgh dek, ab + defgh d, bcd + defg
    assert as_trees.tokens.numel() == (3 + 6) + (2 + 5) + (3 + 4)
    assert as_rows.tokens.numel() == (3 + 5 + 3) + (2 + 5 + 1) + (3 + 4)
    assert whole.tokens.numel() == 32 and torch.equal(whole.tokens[:, :23], as_trees.tokens)  # a multiple of 16
    assert whole.shares.mask[23:].sum(dim=1).tolist() == [1] * 9 and not whole.shares.mask[:23, 23:].any()
    there = mask[:, -KEEP:] == 1
    for packed in (as_trees, as_rows, whole):
        assert torch.equal(packed.found >= 0, there)
        assert torch.equal(packed.targets[packed.found[there]], ids[:, -KEEP:][there])


def test_what_costs_less_is_chosen():
    long = torch.randint(5, 80, (1, 40)).repeat(8, 1)
    long[:, -1] = torch.arange(8)
    apart = torch.randint(5, 80, (8, 40))
    apart[:, :4] = apart[0, :4]
    there = torch.ones(8, 40, dtype=torch.long)
    assert [share.places is None for share in pack_rows(long, there, 36, 64).shares] == [True]
    assert [share.places is None for share in pack_rows(apart, there, 36, 1).shares] == [False]
    taken = [is_taken_whole(tokens, width) for tokens, width in ((1000, 1536), (1500, 1536), (1500, 576))]
    assert taken == [True, False, True]  # by a card, at once


def test_nothing_is_packed_where_no_token_counts():
    ids, mask = rows_of("ragged")
    mask[:, -KEEP:] = 0
    assert pack_rows(ids, mask, KEEP, 1) is None


def test_rows_that_begin_alike_stay_in_one_part():
    ids = torch.tensor([[1, 2, 3], [4, 5, 6], [1, 2, 4], [4, 5, 7], [1, 2, 5]])
    assert [part.tolist() for part in together(ids, 3)] == [[0, 2, 4], [1, 3]]


@pytest.mark.parametrize(
    ("architecture", "changes", "why"),
    [
        ("Mistral", {"sliding_window": 6}, "window of 6"),
        ("Llama", {"attention_dropout": 0.1}, "dropout"),
        ("Mixtral", {"num_local_experts": 2}, "mixture of experts"),
        ("Granite", {"logits_scaling": 8.0}, "logits"),
        ("Gemma3Text", {"final_logit_softcapping": 30.0}, "logits"),
    ],
)
def test_a_model_that_cannot_share_says_why(folder, architecture, changes, why):
    assert why in obstacle(tiny(folder(architecture, **changes)), 8)


def test_a_model_that_is_told_nothing_about_is_found_out_by_a_probe(folder):
    model = tiny(folder("Llama"))
    assert probe_packing(model) is None
    model.model.layers[0].self_attn.register_forward_pre_hook(
        lambda layer, args, more: (args, more | {"shares": None}), with_kwargs=True
    )
    assert "something else" in probe_packing(model)
    model = tiny(folder("Llama"))
    forward = model.base_model.forward
    model.base_model.forward = lambda *args, position_ids=None, shares=None, **more: forward(*args, **more)
    assert "something else" in probe_packing(model)  # positions are counted from the beginning of the packed sequence
    model.base_model.forward = lambda input_ids, attention_mask, use_cache=None, **more: (
        forward(input_ids, attention_mask, **more) if more.keys().isdisjoint({"shares"}) else int("shares")
    )
    assert "takes no packed rows" in probe_packing(model)


def every_other_row(self, batch, of_trl, store):
    """Advantages (rows,) of which every other is 0, whatever was sampled."""
    return torch.tensor([1.0, 0.0, -0.5, 0.0]).repeat(len(of_trl) // 4)


STEP = (
    "train.max_steps=1",
    "train.rollouts_per_step=16",
    "train.max_completion_tokens=32",
    "train.learning_rate=1e-6",
    "train.kl=0",
)


@pytest.mark.parametrize(
    "options",
    [
        *((f"train.loss={loss}", f"train.kl={kl}") for loss in ("grpo", "dr_grpo", "dapo", "bnpo") for kl in (0, 0.1)),
        ("train.kl=0.1", "train.entropy_bonus=0.01"),
        ("train.entropy_bonus=0.01", "train.micro_batch_size=4"),
        ("train.loss=dr_grpo", "train.micro_batch_size=4"),
        ("train.kl=0.1", "train.mask_truncated_completions=true"),
        ("train.mask_truncated_completions=true", "train.max_completion_tokens=3"),  # no token counts
        ("trl.num_iterations=2", "train.max_steps=2"),
        ("train.importance_sampling_level=sequence", "train.loss=grpo"),
        ("train.loss=luspo", "train.kl=0.1"),
        ("train.loss=luspo", "train.micro_batch_size=4"),
        ("train.loss=cispo", "train.kl=0.1", "trl.num_iterations=2", "train.max_steps=2"),
        ("train.loss=cispo", "train.micro_batch_size=4"),
        ("trl.gradient_checkpointing=true", "train.kl=0.1"),
        ("adapter.kind=lora_xs", "train.kl=0.1"),
        ("data={kind: problems, name: sandbox, size: 20}", "train.kl=0.1"),
        ("data={kind: problems, name: sandbox, size: 20}", "train.micro_batch_size=8"),
    ],
    ids=" ".join,
)
def test_a_step_has_the_gradients_and_metrics_of_trls(load, tmp_path, monkeypatch, options):
    check_a_step(load, tmp_path, monkeypatch, options, every_other_row)


@pytest.mark.parametrize(
    "options", [(), ("train.kl=0.1",), ("train.loss=bnpo", "train.micro_batch_size=4")], ids=" ".join
)
def test_a_step_with_an_advantage_for_each_token_has_the_gradients_of_trls(load, tmp_path, monkeypatch, options):
    def of_tokens(self, batch, of_trl, store):
        return every_other_row(self, batch, of_trl, store)[:, None] * torch.linspace(-1, 2, int(batch.length.max()))

    check_a_step(load, tmp_path, monkeypatch, options, of_tokens)


def check_a_step(load, tmp_path, monkeypatch, options, advantages):
    """Trains with rows that share and with rows side by side."""
    monkeypatch.setattr(DrGrpo, "__call__", advantages)
    sentence = "one by one"
    ours, rollouts, alone, _ = train(load, tmp_path / "ours", "one_shot_rlvr", *STEP, *options, said_of=sentence)
    monkeypatch.setattr(shared_prefixes, "obstacle", lambda model, tokens: "told so")
    monkeypatch.setattr(shared_prefixes.SharedPrefixes, "learning_rows", lambda self: None)
    theirs, again, heard, _ = train(load, tmp_path / "theirs", "one_shot_rlvr", *STEP, *options, said_of=sentence)
    assert (len(alone), len(heard)) == (0, 1)
    assert rollouts == again
    if "train.max_completion_tokens=3" in options:
        assert not any(gradient.any() for step in (*ours, *theirs) for gradient in step)
    else:
        assert_close(ours, theirs)
    for one, other in zip(*(read(tmp_path / name) for name in ("ours", "theirs")), strict=True):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-6)


def test_the_tokens_of_highest_entropy_are_those_of_the_micro_batches_that_trl_makes(load, tmp_path, monkeypatch):
    monkeypatch.setattr(DrGrpo, "__call__", every_other_row)
    options = (*STEP, "train.top_entropy_quantile=0.3", "train.micro_batch_size=4")
    ours, rollouts, _, _ = train(load, tmp_path / "ours", "one_shot_rlvr", *options)
    monkeypatch.setattr(shared_prefixes.SharedPrefixes, "learning_rows", lambda self: None)
    monkeypatch.setattr(shared_prefixes.SharedPrefixes, "order_of", lambda self, output: None)
    theirs, again, _, _ = train(load, tmp_path / "theirs", "one_shot_rlvr", *options)
    assert rollouts == again
    assert_close(ours, theirs)


def test_one_update_has_the_gradient_of_grpo_by_sequences_and_that_of_dapo_by_cispo(load, tmp_path, monkeypatch):
    monkeypatch.setattr(DrGrpo, "__call__", every_other_row)
    pairs = (
        (("train.loss=dapo",), ("train.loss=cispo",)),
        (("train.loss=grpo",), ("train.loss=grpo", "train.importance_sampling_level=sequence")),
    )
    for number, pair in enumerate(pairs):
        one, other = (
            train(load, tmp_path / f"{number}{side}", "one_shot_rlvr", *STEP, *options)[0]
            for side, options in enumerate(pair)
        )
        assert_close(one, other)


def read(folder):
    """The metrics of each step, times apart."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").open()]
    return [{name: value for name, value in row.items() if not name.startswith("time/")} for row in rows]


@pytest.mark.parametrize("loss", ["grpo", "dr_grpo", "dapo"])
def test_micro_batches_share_prompts_and_the_gradient_is_that_of_any_order(load, tmp_path, monkeypatch, loss):
    def of_every_other_group(self, batch, of_trl, store):
        return torch.tensor([1.0, -1.0, 0.5, -0.5, 0.0, 0.0, 0.0, 0.0]).repeat(len(of_trl) // 8)

    seen, score = [], shared_prefixes.log_probs

    def spy(model, packed, temperature, bonus):
        seen.append((torch.is_grad_enabled(), len(packed.shares), len(packed.found)))
        return score(model, packed, temperature, bonus)

    monkeypatch.setattr(shared_prefixes, "probe_packing", lambda model: None)
    monkeypatch.setattr(shared_prefixes, "log_probs", spy)
    monkeypatch.setattr(DrGrpo, "__call__", of_every_other_group)
    data = "data={kind: problems, name: sandbox, size: 20}"
    options = (*STEP, data, "train.group_size=4", "train.micro_batch_size=4", f"train.loss={loss}")
    ours, rollouts, _, _ = train(load, tmp_path / "ours", "one_shot_rlvr", *options)
    assert seen == [(True, 1, 4)] * 2 + [(False, 1, 4)] * 2
    monkeypatch.setattr(shared_prefixes.SharedPrefixes, "order_of", lambda self, output: None)
    shuffled, again, _, _ = train(load, tmp_path / "shuffled", "one_shot_rlvr", *options)
    assert max(prompts for _, prompts, _ in seen[4:]) > 1
    assert rollouts == again
    assert_close(ours, shuffled)


def test_rows_that_teach_nothing_keep_the_entropy_they_were_sampled_with(load, tmp_path, monkeypatch):
    seen, score = [], shared_prefixes.log_probs

    def spy(model, packed, temperature, bonus):
        seen.append((torch.is_grad_enabled(), len(packed.found)))
        return score(model, packed, temperature, bonus)

    monkeypatch.setattr(shared_prefixes, "log_probs", spy)
    monkeypatch.setattr(shared_prefixes, "probe_packing", lambda model: None)
    monkeypatch.setattr(DrGrpo, "__call__", every_other_row)
    ours, rollouts, _, _ = train(load, tmp_path / "ours", "one_shot_rlvr", *STEP, "train.temperature=0.8")
    assert seen == [(True, 8), (False, 8)]  # what is drafted keeps no entropy
    monkeypatch.setattr(sampling, "is_worth_it", lambda engine: False)
    seen.clear()
    kept, again, _, _ = train(load, tmp_path / "kept", "one_shot_rlvr", *STEP, "train.temperature=0.8")
    assert seen == [(True, 8)]
    assert rollouts == again
    assert_close(ours, kept)
    for one, other in zip(*(read(tmp_path / name) for name in ("ours", "kept")), strict=True):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-6)


def test_why_rows_are_scored_one_by_one_is_said_once(load, tmp_path):
    _, _, heard, _ = train(load, tmp_path / "run", "one_shot_rlvr", *STEP, "adapter.dropout=0.1", said_of="one by one")
    assert len(heard) == 1 and "there is dropout" in heard[0]
