"""Supervised fine-tuning: what the loss is on, what a row weighs, and that it teaches."""

import json
from dataclasses import replace

import pytest
import torch
from sessions import said, session_of

from tinyreason import trainers
from tinyreason.config.recipe import read_recipe
from tinyreason.errors import ConfigError, DataError
from tinyreason.example import Example
from tinyreason.inference.sampling import Sampling, prompt_texts
from tinyreason.trainers.masked_thought import masked, rate_at
from tinyreason.trainers.sft import IGNORED, tokenised

QUICK = ("train.max_steps=4", "train.batch_size=8", "data.size=8", "train.schedule=constant")


def example(problem="1+1?", completion="<think>\n1+1=2\n</think>\n\\boxed{2}", weight=1.0, id="a"):
    return Example(id, ({"role": "user", "content": problem},), "2", completion, weight=weight)


def train(folder, *overrides, examples=None, heard=None):
    """A few steps; (model, metrics, start tensors)."""
    config = read_recipe("reasoning_sft").resolve("sandbox", (*QUICK, *overrides))
    with session_of(config, folder) as session:
        start = {name: p.detach().clone() for name, p in session.model.named_parameters()}
        trainers.train(session, examples or config.data.load(), lambda *_: {})
    if heard is not None:
        heard += said(session.context).splitlines()
    return session.model, [json.loads(line) for line in (folder / "metrics.jsonl").open()], start


@pytest.fixture
def rows_of(sandbox):
    """A function: overrides, examples → (rows, lengths, tokenizer)."""
    tokenizer = sandbox[1]

    def build(*examples, overrides=()):
        config = read_recipe("reasoning_sft").resolve("sandbox", overrides)
        return *tokenised(config, tokenizer, list(examples)), tokenizer

    return build


def test_the_loss_is_on_the_completion_and_its_end_alone(rows_of):
    (row,), _, tokenizer = rows_of(example())
    trained = [token for token, label in zip(row["input_ids"], row["labels"], strict=True) if label != IGNORED]
    assert tokenizer.decode(trained) == example().completion + tokenizer.eos_token
    assert [label for label in row["labels"] if label != IGNORED] == trained
    prompt = tokenizer.apply_chat_template(list(example().messages), add_generation_prompt=True, tokenize=False)
    assert tokenizer.decode(row["input_ids"]).startswith(prompt)


def test_a_template_that_opens_the_reasoning_does_not_get_it_twice(rows_of, sandbox):
    sandbox[1].chat_template = "{{ messages[0]['content'] }}<|assistant|><think>\n"
    (row,), _, tokenizer = rows_of(example())
    assert tokenizer.decode(row["input_ids"]).count("<think>") == 1


def test_the_first_half_is_half_and_has_no_end(rows_of):
    (whole,), _, tokenizer = rows_of(example())
    (half,), _, _ = rows_of(example(), overrides=("train.truncate_ratio=0.5",))
    count = sum(label != IGNORED for label in whole["labels"])
    kept = [label for label in half["labels"] if label != IGNORED]
    assert len(kept) == (count + 1) // 2
    assert tokenizer.eos_token_id not in kept
    assert whole["input_ids"][: len(half["input_ids"])] == half["input_ids"]


def test_rows_that_are_too_long_are_left_out_and_counted(rows_of):
    rows, lengths, _ = rows_of(example(), example(completion="1" * 600, id="b"))
    assert (len(rows), lengths.rows, lengths.left_out) == (1, 1, 1)
    assert "1 longer than 512 tokens (train.max_tokens) left out" in str(lengths)
    with pytest.raises(DataError, match=r"all 1 rows are longer than train.max_tokens=512"):
        rows_of(example(completion="1" * 600))


def test_the_loss_falls_and_only_the_adapter_moves(tmp_path):
    heard = []
    model, metrics, start = train(tmp_path / "run", heard=heard)
    assert metrics[-1]["loss"] < 0.9 * metrics[0]["loss"]
    changed = {name for name, p in model.named_parameters() if not torch.equal(p, start[name])}
    assert changed == {name for name, p in model.named_parameters() if p.requires_grad}
    assert heard[0].startswith("rows    8 rows, ")


@pytest.mark.parametrize(("weight", "counts"), [(0.0, False), (0.5, True)])
def test_a_row_that_weighs_nothing_teaches_nothing(tmp_path, weight, counts):
    found = []
    for digit in "78":
        rows = [example()] * 4 + [example(completion=f"\\boxed{{{digit}}}", weight=weight, id="b")] * 4
        _, metrics, _ = train(tmp_path / digit, "train.max_steps=1", examples=rows)
        found.append((metrics[0]["loss"], metrics[0]["gradient/norm"]))
    assert (found[0] != pytest.approx(found[1], rel=1e-4)) == counts


def test_twice_the_weight_is_twice_the_gradient(tmp_path):
    losses = [
        train(
            tmp_path / str(weight),
            "train.max_steps=1",
            examples=[example(weight=weight), example(weight=1.0, id="b")] * 4,
        )
        for weight in (0.5, 1.5)
    ]
    (_, low, _), (_, high, _) = losses
    assert high[0]["loss"] == pytest.approx(low[0]["loss"] * 2.5 / 1.5, rel=1e-3)


@pytest.mark.parametrize("opens", [False, True])
def test_a_span_weighs_what_it_says_and_the_rest_one(rows_of, sandbox, opens):
    if opens:
        sandbox[1].chat_template = "{{ messages[0]['content'] }}<|assistant|><think>\n"
    spans = ((8, 11, 0.0), (12, 13, 3.0))
    (row,), _, tokenizer = rows_of(replace(example(weight=2.0), spans=spans))
    text, weights = [], []
    for token, label, weight in zip(row["input_ids"], row["labels"], row["weights"], strict=True):
        if label != IGNORED:
            text += [tokenizer.decode([token])]
            weights += [weight]
        else:
            assert weight == 0
    expected = {"1": 0.0, "+": 0.0, "2": 6.0}
    line = text.index("1")
    assert text[line : line + 5] == list("1+1=2")
    assert [weights[line + n] for n in range(5)] == [expected[c] if n != 3 else 2.0 for n, c in enumerate("1+1=2")]
    assert weights[-1] == 2.0


def test_a_span_that_weighs_nothing_teaches_nothing(tmp_path):
    found = []
    for digit in "78":
        row = replace(example(completion=f"<think>\n1+1={digit}"), spans=((12, 13, 0.0),))
        _, metrics, _ = train(tmp_path / digit, "train.max_steps=1", "train.truncate_ratio=0.8", examples=[row] * 8)
        found.append((metrics[0]["loss"], metrics[0]["gradient/norm"]))
    assert found[0] == pytest.approx(found[1], rel=1e-5) and found[0][1] > 0


def test_packed_rows_do_not_see_each_other(tmp_path):
    """The first step's loss of packed rows is that of the same rows on their own."""
    examples = [example(problem=f"{n}+1?", id=str(n)) for n in range(8)]
    (_, apart, _), (_, packed, _) = (
        train(
            tmp_path / name,
            "train.max_steps=1",
            f"train.packing={name}",
            "train.batch_size=8",
            "train.max_tokens=1024",
            examples=examples,
        )
        for name in ("false", "true")
    )
    assert packed[0]["loss"] == pytest.approx(apart[0]["loss"], rel=1e-3)


def test_rows_of_several_weights_are_not_packed(tmp_path):
    with pytest.raises(ConfigError, match=r"train\.packing=false"):
        train(tmp_path / "run", "train.packing=true", examples=[example(), example(weight=2.0, id="b")])


@pytest.mark.parametrize("adapter", ["lora", "lora_xs", "tinylora", "miss"])
@pytest.mark.parametrize("base", ["none", "nf4", "int8"])
def test_every_adapter_learns_on_every_base(tmp_path, adapter, base):
    overrides = (f"adapter={{kind: {adapter}}}", f"model.quantize={base}", "train.learning_rate=1e-3")
    model, metrics, start = train(tmp_path / "run", *overrides)
    ours = {name for name, p in model.named_parameters() if p.requires_grad}
    changed = {name for name, p in model.named_parameters() if not torch.equal(p, start[name])}
    assert changed and changed <= ours
    assert min(row["loss"] for row in metrics[1:]) < metrics[0]["loss"]


@pytest.mark.stress
def test_real_solutions_are_read_and_the_loss_on_them_falls(tmp_path, shared_data):
    file = shared_data / "gsm8k_train.jsonl"
    overrides = (f"data.file={file}", "data.size=200", "train.max_steps=6", "train.max_tokens=1024")
    _, metrics, _ = train(tmp_path / "run", *overrides)
    assert metrics[-1]["loss"] < metrics[0]["loss"]


TURNS = (
    {"role": "system", "content": "Sum."},
    {"role": "user", "content": "1+1?"},
    {"role": "assistant", "content": "2"},
    {"role": "tool", "content": "3"},
    {"role": "assistant", "content": "\\boxed{3}"},
    {"role": "user", "content": "2+2?"},
)
CHAT = "<|system|>Sum.<|end|><|user|>1+1?<|end|><|assistant|>2<|end|><|tool|>3<|end|><|assistant|>\\boxed{3}<|end|>"
CHAT += "<|user|>2+2?<|end|><|assistant|>4<|end|>"


def conversation(every_turn, **more):
    return Example("a", TURNS, "4", "4", meta={"trains_every_turn": True} if every_turn else {}, **more)


def spoken(row, tokenizer):
    """(whole row, its trained stretches) as text"""
    stretches, before = [], IGNORED
    for token, label in zip(row["input_ids"], row["labels"], strict=True):
        assert label in (IGNORED, token)
        if label != IGNORED:
            stretches = [*stretches, [token]] if before == IGNORED else [*stretches[:-1], [*stretches[-1], token]]
        before = label
    return tokenizer.decode(row["input_ids"]), [tokenizer.decode(stretch) for stretch in stretches]


@pytest.mark.parametrize(
    ("every_turn", "trained"), [(False, ["4<|end|>"]), (True, ["2<|end|>", "\\boxed{3}<|end|>", "4<|end|>"])]
)
def test_the_loss_of_a_conversation_is_on_the_last_or_on_every_answer_token_by_token(rows_of, every_turn, trained):
    (row,), _, tokenizer = rows_of(conversation(every_turn), overrides=("prompt=plain",))
    assert spoken(row, tokenizer) == (CHAT, trained)
    assert [weight > 0 for weight in row["weights"]] == [label != IGNORED for label in row["labels"]]


def test_an_earlier_answer_weighs_and_is_truncated_as_the_last_is(rows_of):
    (row,), _, tokenizer = rows_of(
        conversation(True, weight=2.0), overrides=("prompt=plain", "train.truncate_ratio=0.5")
    )
    assert spoken(row, tokenizer)[1] == ["2", "\\boxed{3", "4"]
    assert {weight for weight in row["weights"] if weight} == {2.0}


def test_where_a_template_writes_earlier_turns_otherwise_each_answer_is_a_row_of_its_own(rows_of, sandbox):
    """As Qwen3's, which leaves the reasoning out of all turns but the last."""
    sandbox[1].chat_template = (
        "{% for m in messages %}<|{{ m['role'] }}|>"
        "{{ m['content'] if loop.last else m['content'].split('</think>')[-1] }}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    thought = {"role": "assistant", "content": "<think>1+1</think>2"}
    turns = (TURNS[1], thought, TURNS[5])
    told = Example("a", turns, "4", "4", meta={"trains_every_turn": True})
    rows, lengths, tokenizer = rows_of(told, overrides=("prompt=plain",))
    first, second = "<|user|>1+1?<|end|><|assistant|>", "<|end|><|user|>2+2?<|end|><|assistant|>4<|end|>"
    assert [spoken(row, tokenizer) for row in rows] == [
        (f"{first}<think>1+1</think>2<|end|>", ["<think>1+1</think>2<|end|>"]),
        (f"{first}2{second}", ["4<|end|>"]),
    ]
    assert lengths.rows == 2


TOOLS = ({"type": "function", "function": {"name": "add"}},)
WITH_TOOLS = (
    "{% if tools %}<tools>{{ tools | tojson }}</tools>{% endif %}"
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.mark.parametrize("every_turn", [False, True])
def test_the_tools_of_a_row_are_written_by_the_chat_template_and_not_trained_on(rows_of, sandbox, every_turn):
    (plain,), _, tokenizer = rows_of(conversation(every_turn, tools=TOOLS), overrides=("prompt=plain",))
    without, trained = spoken(plain, tokenizer)
    assert without == CHAT  # the sandbox's template writes no tools
    sandbox[1].chat_template = WITH_TOOLS
    (row,), _, tokenizer = rows_of(conversation(every_turn, tools=TOOLS), overrides=("prompt=plain",))
    written = tokenizer.decode(tokenizer(f"<tools>{json.dumps(TOOLS)}</tools>", add_special_tokens=False)["input_ids"])
    assert spoken(row, tokenizer) == (written + without, trained)
    sampling = Sampling(1, 1.0, 4, 4, "plain", 0)
    asked, alone = prompt_texts(tokenizer, [conversation(False, tools=TOOLS), conversation(False)], sampling)
    assert asked == f"<tools>{json.dumps(TOOLS)}</tools>{alone}" and "tools" not in alone


def test_the_prompt_is_put_to_the_last_user_and_never_to_a_tool(rows_of):
    (row,), _, tokenizer = rows_of(conversation(True), overrides=("prompt=boxed",))
    assert spoken(row, tokenizer)[0].count("Reason step by step") == 1
    asked = Example("a", TURNS[:4], "3", "3")
    (row,), _, tokenizer = rows_of(asked, overrides=("prompt=boxed",))
    assert "Reason step by step" not in spoken(row, tokenizer)[0]


def test_rows_longer_than_the_models_context_are_left_out(sandbox):
    config = read_recipe("reasoning_sft").resolve("sandbox")
    rows, lengths = tokenised(config, sandbox[1], [example(), example(completion="1" * 60, id="b")], context=40)
    assert len(rows) == 1 and "1 longer than 40 tokens (the model's context) left out" in str(lengths)
    with pytest.raises(DataError, match=r"all 1 rows are longer than the model's context=10; take another model"):
        tokenised(config, sandbox[1], [example()], context=10)


def test_conversations_train_on_every_turn(tmp_path):
    rows = [conversation(True)] * 8
    _, metrics, _ = train(tmp_path / "run", examples=rows)
    assert metrics[-1]["loss"] < metrics[0]["loss"]


def test_the_share_that_is_masked_grows_over_the_warm_up():
    found = [rate_at(step, 300, 0.4, 0.667) for step in (0, 100, 150, 201, 299)]
    assert found == pytest.approx([0, 0.1990, 0.2985, 0.4, 0.4], abs=5e-5)


@pytest.mark.parametrize("vocabulary", [97, None])
def test_masking_replaces_completion_inputs_and_no_prompt_nor_label(vocabulary):
    ids = torch.arange(100, 164).reshape(2, 32)
    labels = torch.where(torch.arange(32) < 12, IGNORED, ids)
    inputs = {"input_ids": ids, "labels": labels}
    whole = masked(inputs, 1.0, 0, 5, 0, vocabulary, 7)
    assert torch.equal(whole["labels"], labels) and torch.equal(whole["input_ids"][:, :12], ids[:, :12])
    assert (whole["input_ids"][:, 12:] < 97 if vocabulary else whole["input_ids"][:, 12:] == 7).all()
    assert torch.equal(ids, torch.arange(100, 164).reshape(2, 32))
    half = masked(inputs, 0.5, 0, 5, 0, vocabulary, 7)["input_ids"]
    assert 8 < (half != ids).sum() < 32
    second = masked({name: value[1:] for name, value in inputs.items()}, 0.5, 0, 5, 1, vocabulary, 7)["input_ids"]
    assert torch.equal(second[0], half[1])  # so micro-batches of any size mask alike
    assert not torch.equal(masked(inputs, 0.5, 0, 6, 0, vocabulary, 7)["input_ids"], half)


def test_masked_thought_trains_and_a_micro_batch_of_any_size_masks_alike(tmp_path):
    mask = ("train.mask_rate=0.4", "train.mask_warmup=0")
    runs = [
        train(tmp_path / name, *more)[1]
        for name, more in {"plain": (), "one": mask, "two": (*mask, "train.micro_batch_size=4")}.items()
    ]
    plain, one, two = ([row["loss"] for row in metrics] for metrics in runs)
    assert one[0] == pytest.approx(plain[0]) and one[1] > 1.02 * plain[1]  # step 0 masks nothing
    assert one == pytest.approx(two, rel=1e-4)
    with pytest.raises(ConfigError, match=r"packing puts several in one; type train.packing=false"):
        train(tmp_path / "packed", *mask, "train.packing=true")
