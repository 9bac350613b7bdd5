"""Budget forcing: what is put in where a thought would end too soon, by hand and by a slow path."""

from collections import Counter

import pytest
import torch
from engine_rows import ENDS, RAGGED
from tiny_models import tiny_model, tiny_tokenizer

from tinyreason.adapters import learnt_row
from tinyreason.adapters.new_token import NewToken
from tinyreason.algorithms.rollouts import ThoughtBudget
from tinyreason.errors import ModelError
from tinyreason.inference.engines import choose_engine, make_engine
from tinyreason.inference.engines.forcing import Forced, Forcing
from tinyreason.inference.engines.loop import roll_out
from tinyreason.inference.engines.tokens import TokenRule, uniforms_of
from tinyreason.inference.forcing import forcing_of

CLOSE, LIMIT = 9, 14
SHARP = TokenRule(0.1)
"""A tiny random model then says some tokens often."""
SHORT = tiny_tokenizer(plain=("<think>", "</think>"))


def put_into(forcing, *sampled):
    """What rows say of which these tokens are sampled, and which of them were put in."""
    forced = Forced(forcing, len(sampled), len(sampled[0]), "cpu")
    rows = torch.arange(len(sampled))
    said = [
        forced.replaced(torch.tensor(tokens), rows, step).tolist()
        for step, tokens in enumerate(zip(*sampled, strict=True))
    ]
    return [list(row) for row in zip(*said, strict=True)], [row.nonzero()[:, 0].tolist() for row in forced.places_R_T]


def test_by_hand():
    one, two = Forcing(CLOSE, (7,), budget=3), Forcing(CLOSE, (7, 8), budget=3)
    assert put_into(one, [1, 9, 2, 9, 3], [9, 9, 9, 9, 9]) == ([[1, 7, 2, 9, 3], [7, 7, 7, 9, 9]], [[1], [0, 1, 2]])
    assert put_into(two, [1, 9, 9, 9, 3], [9, 5, 9, 6, 9]) == (
        [[1, 7, 8, 9, 3], [7, 8, 7, 8, 9]],
        [[1, 2], [0, 1, 2, 3]],
    )
    once = Forcing(CLOSE, (7,), budget=9, most=1)
    assert put_into(once, [9, 9, 1], [1, 2, 9]) == ([[7, 9, 1], [1, 2, 7]], [[0], [2]])
    assert put_into(one, [1, 2, 3, 9]) == ([[1, 2, 3, 9]], [[]])


def one_by_one(model, prompts, uniforms, forcing):
    """The slow path: each row alone, without a cache, and with Python's own counting."""
    rows = []
    for prompt, numbers in zip(prompts, uniforms, strict=True):
        said, pending, times = [], [], 0
        while len(said) < LIMIT and (not said or said[-1] not in ENDS):
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([prompt + said]), use_cache=False).logits[:, -1]
            token = int(SHARP.tokens(logits, torch.tensor([0]), numbers[len(said)][None]))
            ends = token == forcing.close and not pending and len(said) < forcing.budget
            if ends and (forcing.most is None or times < forcing.most):
                pending, times = list(forcing.put), times + 1
            said.append(pending.pop(0) if pending else token)
        rows.append(said)
    return rows


@pytest.mark.parametrize("engine", ["hf", "fused"])
@pytest.mark.parametrize("most", [None, 1])
def test_every_engine_puts_in_the_same_and_reads_the_row_that_was_learnt(load, tmp_path, engine, most):
    base, tokenizer = load(tiny_model(tmp_path / "m", "Llama", SHORT, initializer_range=0.2, tie_word_embeddings=True))
    model = NewToken().attach(base, 0, tokenizer).eval()
    for name, parameter in model.named_parameters():
        if "embedding_B.default" in name:
            torch.nn.init.normal_(parameter.data, std=0.5, generator=torch.Generator().manual_seed(0))
    (reserved, _), prompts = learnt_row(model), RAGGED[:4]
    uniforms = uniforms_of([[1, row] for row in range(4)], LIMIT)
    unforced = one_by_one(model, prompts, uniforms, Forcing(-1, (0,), 0))
    often = Counter(token for row in unforced for token in row[:12] if token not in ENDS).most_common(1)[0][0]
    forcing = Forcing(often, (reserved,), 16, most)
    wanted = one_by_one(model, prompts, uniforms, forcing)
    assert sum(row.count(reserved) for row in wanted) >= 2 and wanted != unforced
    assert choose_engine(model).name == "fused"
    found = roll_out(make_engine(model, engine, 4), prompts, uniforms, SHARP, ENDS, forcing=forcing)
    assert found.ids == wanted
    said = [[n for n, token in enumerate(row) if token == reserved] for row in wanted]
    assert all(set(places) <= set(here) for places, here in zip(found.forced, said, strict=True))
    with model.disable_adapter():
        off = one_by_one(model, prompts, uniforms, forcing)
        assert off != wanted
        assert roll_out(make_engine(model, engine, 4), prompts, uniforms, SHARP, ENDS, forcing=forcing).ids == off


def test_an_adapter_puts_in_its_token_and_a_base_the_word(load, tmp_path):
    base, tokenizer = load(tiny_model(tmp_path / "m", tokenizer=SHORT))
    budget = ThoughtBudget(5, 2, "Wait")
    word = tuple(tokenizer("Wait", add_special_tokens=False)["input_ids"])
    close = tokenizer.get_vocab()["</think>"]
    assert len(word) > 1 and forcing_of(base, tokenizer, budget) == Forcing(close, word, 5, 2)
    assert forcing_of(base, tokenizer, None) is None
    model = NewToken().attach(base, 0, tokenizer)
    assert forcing_of(model, tokenizer, budget) == Forcing(close, (tokenizer.get_vocab()["ÿ"],), 5, 2)
    with model.disable_adapter():
        assert forcing_of(model, tokenizer, budget).put == word


def test_a_tokenizer_without_a_token_that_ends_a_thought_is_refused(load, tmp_path):
    model, tokenizer = load(tiny_model(tmp_path / "m", tokenizer=tiny_tokenizer()))
    with pytest.raises(ModelError, match=r"</think> is \d+ tokens .*needs it to be one; choose"):
        forcing_of(model, tokenizer, ThoughtBudget(5))
