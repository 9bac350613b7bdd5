"""A growing tree gives the rollouts that the rows give, whatever earlier rollouts said."""

import pytest
import torch
from engine_rows import ENDS, RAGGED, SAMPLED, with_adapter
from tiny_models import tiny_model

from tinyreason.inference.engines import make_engine
from tinyreason.inference.engines.loop import roll_out
from tinyreason.inference.engines.tokens import uniforms_of
from tinyreason.inference.engines.tree import ROOM, WINDOW, Drafts, grow_rollouts, is_worth_it, likeliest

LIMIT = 30


@pytest.fixture(scope="module", params=["Llama", "Qwen2", "Qwen3"])
def model(request, load, tmp_path_factory):
    place = tmp_path_factory.mktemp("tree") / "model"
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.2}
    return with_adapter(load(tiny_model(place, request.param, **heads))[0], "lora")


def both(model, drafts, prompts=RAGGED, seed=0, limit=LIMIT, ends=ENDS):
    """(completions by rows, completions by the tree, how often the tree called the model)."""
    uniforms = uniforms_of([[seed, row] for row in range(len(prompts))], limit)
    by_rows = roll_out(make_engine(model, "fused", len(prompts)), prompts, uniforms, SAMPLED, ends).ids
    engine, calls = make_engine(model, "fused", len(prompts)), []
    grow = engine.grow
    engine.grow = lambda *given: calls.append(1) or grow(*given)
    return by_rows, grow_rollouts(engine, prompts, uniforms, SAMPLED, ends, drafts.tries()), len(calls)


def test_without_drafts_it_takes_a_call_a_token_and_gives_the_same(model):
    wanted, found, calls = both(model, Drafts())
    assert found == wanted
    assert calls == max(map(len, wanted))


def test_drafts_save_most_calls_of_the_sandbox_and_change_no_token(sandbox):
    model, tokenizer = sandbox
    ends, drafts = {tokenizer.eos_token_id}, Drafts()
    prompts = [tokenizer.encode("<|user|>Ann has 5 pens. Ann buys 2 more. How many pens?<|end|><|assistant|>")] * 32
    for step in range(3):
        wanted, found, calls = both(model, drafts, prompts, seed=step, limit=64, ends=ends)
        assert found == wanted
        assert step == 0 or calls < max(map(len, wanted)) / 2
        drafts.learn(step, prompts, found)


def test_what_was_said_before_is_followed_in_one_call_however_far(model):
    drafts = Drafts()
    wanted = both(model, drafts)[0]
    drafts.learn(0, RAGGED[:1], wanted[:1])
    _, found, calls = both(model, drafts, prompts=RAGGED[:1])
    assert found == wanted[:1]
    assert calls == 1 + (len(wanted[0]) == LIMIT and LIMIT > 32)


def test_misleading_drafts_change_no_token(model):
    drafts = Drafts()
    drafts.learn(0, RAGGED, [[100 + row] * LIMIT for row in range(len(RAGGED))])
    wanted, found, _ = both(model, drafts)
    assert found == wanted


def test_a_tree_larger_than_its_first_room_grows_further(model):
    prompts = [[token, token + 1] for token in range(40, 40 + ROOM // 8)]
    wanted, found, _ = both(model, Drafts(), prompts=prompts)
    assert sum(map(len, wanted)) > ROOM
    assert found == wanted


def test_the_last_steps_alone_are_remembered_and_as_json():
    drafts = Drafts()
    for step in range(WINDOW + 2):
        drafts.learn(step, [[1, 2], [1, 2]], [[step, 7], [step, 8]])
        drafts.learn(step, [[1, 2]], [[step, 7]])
    trie = drafts.tries()[1, 2]
    assert sorted(trie) == [2, 3, 4]
    assert trie[4][0] == 3
    assert likeliest(trie[4][1]) == (7, {})
    assert likeliest({}) is None


def test_it_is_for_small_models_on_a_cpu(model):
    engine = make_engine(model, "fused", 1)
    assert is_worth_it(engine)
    assert not is_worth_it(make_engine(model, "hf", 1))
    engine.parameters = 135_000_000
    assert not is_worth_it(engine)
    engine.parameters, engine.device = 1, torch.device("cuda")
    assert not is_worth_it(engine)
