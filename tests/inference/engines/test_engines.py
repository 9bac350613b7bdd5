"""Every engine gives the completions that one row alone gives, read anew from its first token at each step."""

import gc
import weakref
from itertools import product

import pytest
import torch
from engine_rows import ENDS, RAGGED, SAMPLED, with_adapter
from tiny_models import tiny_model
from transformers import TopKLogitsWarper

from tinyreason.adapters import ADAPTERS
from tinyreason.errors import ConfigError
from tinyreason.inference.engines import choose_engine, fixed_steps, make_engine
from tinyreason.inference.engines.fused import assign_slots
from tinyreason.inference.engines.loop import roll_out
from tinyreason.inference.engines.tokens import TokenRule, uniforms_of
from tinyreason.models import fast_linear

FUSED = ("Llama", "Qwen2", "Qwen3", "Mistral")
OTHERS = ("Gemma", "Phi3", "SmolLM3", "GPTNeoX", "Gemma3Text")
LIMIT = 12


def one_by_one(model, prompts, uniforms, rule=SAMPLED, limit=LIMIT):
    """The slow path: each row alone, without a cache."""
    rows = []
    for prompt, numbers in zip(prompts, uniforms, strict=True):
        ids = list(prompt)
        while len(ids) < len(prompt) + limit and (len(ids) == len(prompt) or ids[-1] not in ENDS):
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[:, -1]
            number = numbers[len(ids) - len(prompt)]
            ids.append(int(rule.tokens(logits, torch.tensor([0]), number[None])))
        rows.append(ids[len(prompt) :])
    return rows


def completions(model, engine, prompts=RAGGED, rule=SAMPLED, limit=LIMIT, **more):
    uniforms = uniforms_of([[0, row] for row in range(len(prompts))], limit)
    return roll_out(engine_named(model, engine, len(prompts)), prompts, uniforms, rule, ENDS, **more).ids


def engine_named(model, name, rows):
    """The engine; "fixed" is the fused one with the steps that a card replays as graphs."""
    engine = make_engine(model, name.replace("fixed", "fused"), rows)
    if name == "fixed":
        engine.has_fixed_steps = True
    return engine


def expected(model, prompts=RAGGED, rule=SAMPLED, limit=LIMIT):
    return one_by_one(model, prompts, uniforms_of([[0, row] for row in range(len(prompts))], limit), rule, limit)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a tiny random model of an architecture.

    It is so sharp that one wrong key would show; a dull one has no outliers, which LLM.int8 finds by the whole batch.
    """

    def made(architecture: str, sharpness: float = 0.2):
        place = tmp_path_factory.getbasetemp() / f"engine_{architecture}_{sharpness}"
        heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": sharpness}
        return place if place.exists() else tiny_model(place, architecture, **(heads | MORE.get(architecture, {})))

    return made


MORE = {
    "Mistral": {"sliding_window": None},
    "Qwen3": {"head_dim": 16},
    "GPTNeoX": {"num_key_value_heads": None},
    "Gemma3Text": {"head_dim": 16, "sliding_window": 4, "query_pre_attn_scalar": 16},
}


LINEAR = [kind for kind in ADAPTERS if kind != "new_token"]  # which test_forcing tries
COMBINATIONS = [
    pytest.param(*each, marks=() if each[0] == "Qwen2" or "none" in each else pytest.mark.stress)
    for each in product([*FUSED, "SmolLM3", "Phi3"], ["none", "nf4", "int8"], ["none", *LINEAR])
]
"""Of architecture, quantisation and adapter every two meet every day, all three with -m stress."""


@pytest.mark.parametrize(("architecture", "quantize", "adapter"), COMBINATIONS)
def test_completions_are_those_of_each_row_alone(load, folder, architecture, quantize, adapter):
    sharpness = 0.05 if quantize == "int8" else 0.2
    model = with_adapter(load(folder(architecture, sharpness), quantize=quantize)[0], adapter, sharpness)
    wanted = expected(model)
    assert len({tuple(row) for row in wanted}) > 3
    assert completions(model, "hf") == wanted
    if architecture in FUSED:
        assert completions(model, "fused") == completions(model, "fixed") == wanted


@pytest.mark.parametrize("architecture", OTHERS)
def test_a_model_of_another_shape_is_driven_by_transformers(load, folder, architecture):
    model = load(folder(architecture))[0]
    assert choose_engine(model).name == "hf"
    assert completions(model, "auto") == expected(model)
    with pytest.raises(ConfigError, match=r"inference.engine=fused cannot drive this model: .*; type inference.eng"):
        choose_engine(model, "fused")
    with pytest.raises(ConfigError, match=r"rollout_dtype=bfloat16 needs the engine fused, and this run has hf .*away"):
        choose_engine(model, "auto", "bfloat16")


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"sliding_window": 8}, "window"),
        ({"hidden_act": "gelu"}, "activation gelu"),
        ({"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}}, "type dynamic"),
    ],
)
def test_what_the_fused_engine_does_not_compute_is_left_to_transformers(load, tmp_path, config, reason):
    model = load(tiny_model(tmp_path / "m", "Mistral", **({"sliding_window": None} | config)))[0]
    name, why = choose_engine(model)
    assert name == "hf"
    assert reason in why


@pytest.mark.parametrize("rope", ["linear", "llama3", "yarn"])
def test_scaled_rotary_embeddings_are_the_models_own(load, tmp_path, rope):
    scaled = {"rope_type": rope, "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 16}
    scaled |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0} if rope == "llama3" else {}
    model = load(tiny_model(tmp_path / "m", "Llama", rope_parameters=scaled, initializer_range=0.2))[0]
    assert choose_engine(model).name == "fused"
    assert completions(model, "fused") == expected(model)


@pytest.mark.parametrize("engine", ["hf", "fused", "fixed"])
@pytest.mark.parametrize("architecture", ["Llama", "Qwen3"])
class TestAnyBatch:
    def test_one_row_of_the_batch_is_what_it_is_in_the_batch(self, load, folder, architecture, engine):
        model = load(folder(architecture))[0]
        together = completions(model, engine)
        uniforms = uniforms_of([[0, row] for row in range(len(RAGGED))], LIMIT)
        for row, prompt in enumerate(RAGGED):
            alone = roll_out(engine_named(model, engine, 1), [prompt], uniforms[row : row + 1], TokenRule(), ENDS)
            assert alone.ids == [together[row]]

    def test_all_may_end_at_once_or_after_one_token(self, load, folder, architecture, engine):
        model = load(folder(architecture))[0]
        assert completions(model, engine, limit=1) == expected(model, limit=1)
        uniforms = uniforms_of([[0, row] for row in range(len(RAGGED))], LIMIT)
        everything = set(range(model.config.vocab_size))
        at_once = roll_out(engine_named(model, engine, 6), RAGGED, uniforms, TokenRule(), everything).ids
        assert at_once == completions(model, engine, limit=1)

    def test_greedy_rows_of_one_prompt_are_one_slot(self, load, folder, architecture, engine):
        model = load(folder(architecture))[0]
        prompts = [RAGGED[0]] * 5
        sizes = []
        it = engine_named(model, engine, 5)
        step = it.step
        it.step = lambda tokens: sizes.append(len(tokens)) or step(tokens)
        uniforms = uniforms_of(list(range(5)), LIMIT)
        found = roll_out(it, prompts, uniforms, TokenRule(temperature=0.0), set()).ids
        assert found == [found[0]] * 5
        assert set(sizes) == {1}

    def test_the_context_may_be_full(self, load, tmp_path, architecture, engine):
        model = load(tiny_model(tmp_path / "m", architecture, max_position_embeddings=16, initializer_range=0.2))[0]
        prompts = [list(range(20, 24)), list(range(40, 42))]
        assert completions(model, engine, prompts, limit=12) == expected(model, prompts, limit=12)

    def test_no_row_ends_before_the_least_length(self, load, folder, architecture, engine):
        model = load(folder(architecture))[0]
        free, held = completions(model, engine), completions(model, engine, least=LIMIT)
        assert min(map(len, free)) < LIMIT
        assert {len(row) for row in held} == {LIMIT}

    def test_an_infinite_weight_is_found(self, load, folder, architecture, engine):
        model = load(folder(architecture))[0]
        uniforms = uniforms_of([0], 2)
        assert roll_out(engine_named(model, engine, 1), [[5]], uniforms, TokenRule(), ENDS).is_finite
        model.model.norm.weight.data[3] = torch.inf
        assert not roll_out(engine_named(model, engine, 1), [[5]], uniforms, TokenRule(), ENDS).is_finite

    def test_a_token_keeps_the_log_probability_and_the_entropy_that_it_was_sampled_with(
        self, load, folder, architecture, engine
    ):
        model, rule = with_adapter(load(folder(architecture))[0], "lora"), TokenRule(0.7, [TopKLogitsWarper(8)])
        uniforms = uniforms_of([[0, row] for row in range(len(RAGGED))], LIMIT)
        engine = engine_named(model, engine, len(RAGGED))
        found = roll_out(engine, RAGGED, uniforms, rule, ENDS, keeps_values=True)
        for prompt, ids, log_probs, entropies in zip(RAGGED, found.ids, found.log_probs, found.entropies, strict=True):
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([[*prompt, *ids]]), use_cache=False).logits[
                    0, len(prompt) - 1 : -1
                ]
            distribution = torch.distributions.Categorical(logits=logits / 0.7)
            wanted = distribution.log_prob(torch.tensor(ids)), distribution.entropy()
            for values, its in zip((log_probs, entropies), wanted, strict=True):
                torch.testing.assert_close(torch.tensor(values), its, rtol=0, atol=2e-3)

    def test_certainty_is_the_mean_divergence_from_uniform_at_temperature_1(self, load, folder, architecture, engine):
        model, rule = load(folder(architecture))[0], TokenRule(0.7)
        uniforms = uniforms_of([[0, row] for row in range(len(RAGGED))], LIMIT)
        engine = engine_named(model, engine, len(RAGGED))
        found = roll_out(engine, RAGGED, uniforms, rule, ENDS, keeps_certainty=True)
        for prompt, ids, certainty in zip(RAGGED, found.ids, found.certainties, strict=True):
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([[*prompt, *ids]]), use_cache=False).logits
            logs = logits[0, len(prompt) - 1 : -1].log_softmax(dim=-1)
            wanted = (-logs.mean(dim=-1) - torch.tensor(float(logs.shape[-1])).log()).mean()
            assert certainty == pytest.approx(float(wanted), abs=2e-3)

    def test_an_adapter_that_is_switched_off_is_not_heard(self, load, folder, architecture, engine):
        bare = completions(load(folder(architecture))[0], engine)
        model = with_adapter(load(folder(architecture))[0], "lora")
        assert completions(model, engine) != bare
        with model.disable_adapter():
            assert completions(model, engine) == bare


def test_steps_of_fixed_shapes_are_those_of_one_row_whatever_the_shapes(load, folder, monkeypatch):
    monkeypatch.setattr(fixed_steps, "COLUMNS", 4)
    monkeypatch.setitem(globals(), "ENDS", set(range(0, 320, 4)))  # rows end one after the other
    model, prompts = load(folder("Llama"))[0], RAGGED * 3
    engine = engine_named(model, "fixed", len(prompts))
    uniforms = uniforms_of([[0, row] for row in range(len(prompts))], LIMIT)
    assert roll_out(engine, prompts, uniforms, SAMPLED, ENDS).ids == one_by_one(model, prompts, uniforms)
    rows, columns = zip(*engine.fixed_steps.shapes, strict=True)
    assert set(rows) == {18, 4} and set(columns) >= {8, 12, 16}


def test_an_engine_is_gone_with_its_last_name(load, folder):
    gc.disable()
    try:
        engine = engine_named(load(folder("Llama"))[0], "fixed", len(RAGGED))
        roll_out(engine, RAGGED, uniforms_of(list(range(len(RAGGED))), LIMIT), SAMPLED, ENDS)
        is_there = weakref.ref(engine)
        del engine
        assert is_there() is None  # its cache would fill a card until the collector comes
    finally:
        gc.enable()


@pytest.mark.parametrize("adapter", ["none", "lora", "miss"])
@pytest.mark.parametrize("architecture", FUSED)
def test_in_bfloat16_the_fused_logits_are_those_of_transformers_but_for_rounding(load, folder, architecture, adapter):
    model = with_adapter(load(folder(architecture))[0], adapter).to(torch.bfloat16)
    exact = with_adapter(load(folder(architecture))[0], adapter)
    with torch.no_grad():
        fused, plain, wanted = (
            make_engine(one, engine, 2).prefill(RAGGED[2:4], 2, 1).float()
            for one, engine in ((model, "fused"), (model, "hf"), (exact, "hf"))
        )
    assert (fused - wanted).norm() < 3 * (plain - wanted).norm() + 1e-3 * wanted.norm()


@pytest.mark.parametrize(
    ("parents", "most_moves"),
    [([0, 1, 2], 0), ([2, 2, 2], 2), ([0, 0, 1, 1], 2), ([3], 1), ([1, 4, 4], 2), ([2, 0], 1)],
)
def test_children_find_their_parents_in_few_copies(parents, most_moves):
    places, moves = assign_slots(parents)
    assert sorted(places) == list(range(len(parents)))
    assert len(moves) <= most_moves
    assert not {to for _, to in moves} & {parent for parent, _ in moves}
    held = list(range(8))
    for parent, to in moves:
        held[to] = parent
    assert [held[place] for place in places] == parents


def test_certainty_by_hand():
    logits = torch.tensor([[0.7, 0.1, 0.1, 0.1], [0.25, 0.25, 0.25, 0.25]]).log()
    assert TokenRule(0.5).certainties(logits).tolist() == pytest.approx([0.4298, 0.0], abs=1e-4)


def test_linears_that_are_laid_before_hinder_nothing(sandbox, monkeypatch):
    monkeypatch.setattr(fast_linear, "prefers_onednn", lambda: True)  # as on AMD
    model, _ = sandbox
    with fast_linear.fast_linears(model):
        assert type(model.lm_head) is not torch.nn.Linear and choose_engine(model).name == "fused"
