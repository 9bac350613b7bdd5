"""Sampling on a server: what it samples is what this machine would, of the weights as they are now, or it is said."""

import copy
import importlib.util
import os
import shutil

import pytest
import torch
from engine_rows import with_adapter
from vllm_stub import VllmStub

from tinyreason.adapters import ADAPTERS
from tinyreason.config.inference import VllmServer
from tinyreason.config.model import Model
from tinyreason.errors import ServerError, Stopped
from tinyreason.inference.engines.hf import HFEngine
from tinyreason.inference.engines.loop import roll_out
from tinyreason.inference.engines.server_check import log_probs_of, meet, try_out
from tinyreason.inference.engines.tokens import TokenRule, uniforms_of
from tinyreason.inference.engines.vllm_server import Asked, ServedModel, number_of
from tinyreason.models.chat_template import end_tokens
from tinyreason.planning.machine_facts import server_fact

LIMIT = 10
TEXTS = ("1+2=", "17-4+2=", "1+2=")


@pytest.fixture(scope="module")
def loaded():
    from tinyreason.config.run_config import Kernels
    from tinyreason.models.load import compute_settings_for, load_model

    config = Model(name="sandbox")
    model, tokenizer = load_model(config, compute_settings_for(config, Kernels(), None))
    model.eval()
    prompts = tokenizer(list(TEXTS), add_special_tokens=False)["input_ids"]
    return model, prompts, end_tokens(model, tokenizer)


@pytest.fixture
def stub(loaded):
    with VllmStub(loaded[0]) as server:
        yield server


@pytest.fixture
def served(stub, loaded, tmp_path):
    """Makes a `ServedModel` of the stub, with these settings."""
    made = []

    def make(kind="lora", said=lambda text: None, **settings):
        settings = VllmServer(**{"url": stub.url, "patience_s": 0.5} | settings)
        adapter = ADAPTERS[kind](rank=2, targets="all-linear")
        one = ServedModel(settings, Model(name="sandbox"), adapter, tmp_path / "served", said, "sandbox", loaded[2])
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()


def asked(prompts, temperature, least=0):
    return [Asked(prompt, [7, row], LIMIT, temperature, least=least) for row, prompt in enumerate(prompts)]


def here(model, prompts, ends, temperature, least=0):
    """(token ids, log-probabilities) that this machine samples by the same random numbers."""
    uniforms = uniforms_of([number_of([7, row]) for row in range(len(prompts))], LIMIT)
    found = roll_out(HFEngine(model), prompts, uniforms, TokenRule(temperature), ends, least, keeps_values=True)
    return found.ids, found.log_probs


def sampled(one, model, prompts, temperature, least=0):
    found = dict(one.completions(model, asked(prompts, temperature, least), keeps_log_probs=True))
    return [found[n].ids for n in range(len(prompts))], [found[n].log_probs for n in range(len(prompts))]


def assert_same(theirs, ours):
    assert theirs[0] == ours[0]
    for one, other in zip(theirs[1], ours[1], strict=True):
        assert one == pytest.approx(other, abs=2e-4)


@pytest.mark.parametrize("kind", ["lora", "lora_xs"])
def test_a_server_samples_what_this_machine_would_of_the_weights_as_they_are_now(loaded, stub, served, kind, tmp_path):
    bare, prompts, ends = loaded
    one = served(kind)
    assert_same(sampled(one, bare, prompts, 0.0), here(bare, prompts, ends, 0.0))
    assert not stub.loads  # the base alone needs no adapter
    model = with_adapter(copy.deepcopy(bare), kind)
    first = sampled(one, model, prompts, 1.0)
    assert_same(first, here(model, prompts, ends, 1.0))
    assert sampled(one, model, prompts, 1.0) == first and len(stub.loads) == 1  # nothing has changed
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data.mul_(-0.5)  # through .data, which torch does not count
    second = sampled(one, model, prompts, 0.0, least=4)
    assert_same(second, here(model, prompts, ends, 0.0, least=4))
    assert len(set(stub.loads)) == 2 and list(stub.adapters) == stub.loads[1:]  # another name, the earlier one is gone
    with model.disable_adapter():
        assert_same(sampled(one, model, prompts, 1.0), here(model, prompts, ends, 1.0))
    assert len(list((tmp_path / "served").iterdir())) == 1
    one.close()
    assert not stub.adapters and not (tmp_path / "served").exists()


def test_rows_of_one_prompt_have_random_numbers_of_their_own(loaded, stub, served):
    bare, prompts, _ = loaded
    found = dict(served().completions(bare, asked(prompts[:1] * 8, 1.5)))
    assert len({tuple(answer.ids) for answer in found.values()}) > 1
    assert len({body["seed"] for body in stub.bodies}) == 8 and all("logprobs" not in body for body in stub.bodies)


def no_loading(stub):
    stub.takes_adapters = False


def keyed(stub):
    stub.key = "secret"


def small(stub):
    stub.max_model_len = 64


def other_name(stub):
    stub.name = stub.root = "Qwen/Qwen3-0.6B"


STARTS = {
    "no loading": (no_loading, {}, "takes no adapters while it runs; start it with: VLLM_ALLOW_RUNTIME_LORA_UPDATING"),
    "key": (keyed, {}, "refuses the key in VLLM_API_KEY"),
    "small": (small, {}, "holds 64 tokens, .* up to 100; start it with a larger --max-model-len"),
    "another": (other_name, {}, "serves Qwen/Qwen3-0.6B, and this run's is .* inference.server.model=Qwen/Qwen3-0.6B"),
    "nobody": (lambda stub: None, {"url": "http://127.0.0.1:9"}, "no server answers at .* vllm serve .*--enable-lora"),
    "unknown name": (lambda stub: None, {"model": "mine"}, "serves sandbox, and this run's is mine"),
}


@pytest.mark.parametrize("start", STARTS)
def test_a_server_that_cannot_sample_for_the_run_is_refused_in_a_sentence(stub, served, start):
    change, settings, sentence = STARTS[start]
    change(stub)
    with pytest.raises(ServerError, match=sentence):
        meet(served(**settings), longest=100)


def test_the_key_goes_to_the_server_from_its_variable_and_is_never_said(stub, served, loaded, monkeypatch):
    stub.key = "s3cret"
    monkeypatch.setenv("MY_KEY", "s3cret")
    one = served(key_variable="MY_KEY")
    meet(one, 100)
    assert len(dict(one.completions(loaded[0], asked(loaded[1], 0.0)))) == 3
    assert "s3cret" not in repr(one.settings)
    assert one.connection.hidden("a s3cret b") == "a [key] b"


def raw(stub):
    stub.processed = False


def other_weights(stub):
    for parameter in stub.base.parameters():
        parameter.data = parameter.data[torch.randperm(len(parameter))]


def low(stub):
    stub.largest_rank = 1


PROBES = {
    "raw": (raw, "tells log-probabilities before the temperature; type: .*processed_logprobs"),
    "other weights": (other_weights, "serves another model as sandbox: its log-probabilities are .* nats a token"),
    "rank": (
        low,
        "rank 2 is greater than max_lora_rank 1; it has to read .* and to be started with: .*-rank 8",
    ),
}


@pytest.mark.parametrize("start", PROBES)
def test_a_server_that_computes_otherwise_is_found_out_before_anything_is_sampled(stub, served, loaded, start):
    change, sentence = PROBES[start]
    change(stub)
    one = served()
    with pytest.raises(ServerError, match=sentence):
        try_out(one, loaded[0], loaded[1], loaded[2])
    assert not stub.adapters


def test_a_server_that_fits_is_described_and_keeps_nothing_of_the_probe(stub, served, loaded, tmp_path):
    one = served()
    said = try_out(one, loaded[0], loaded[1], loaded[2])
    assert said.startswith(f"vLLM 0.19.0 at {stub.url}; its log-probabilities are ")
    assert float(said.split(" are ")[1].split()[0]) < 1e-3
    assert len(stub.loads) == 1 and not stub.adapters and not list((tmp_path / "served").iterdir())


def test_doctor_names_a_server_that_answers(stub):
    assert server_fact(VllmServer(url=stub.url)).value == f"sandbox at {stub.url}"
    missing = server_fact(VllmServer(url="http://127.0.0.1:9"))
    assert missing.value.startswith("none answers at http://127.0.0.1:9, vLLM ") and missing.ok is None


def test_what_a_killed_run_left_on_the_server_is_taken_from_it(stub, served, loaded):
    killed, other = served(), served()
    model = with_adapter(copy.deepcopy(loaded[0]), "lora")
    list(killed.completions(model, asked(loaded[1], 0.0)))
    stub.adapters["tinyreason-of-another"] = ("/elsewhere/1", None)
    meet(other, 100)
    assert list(stub.adapters) == ["tinyreason-of-another"]


def test_a_server_that_stumbles_is_asked_again_and_one_that_stays_away_ends_the_run(stub, served, loaded):
    bare, prompts, ends = loaded
    said = []
    one = served(said=said.append)
    stub.fault = {0: 500, 1: "drop", 2: "abort", 3: 503}.get
    assert_same(sampled(one, bare, prompts, 1.0), here(bare, prompts, ends, 1.0))
    assert len(stub.bodies) > 3 and "does not answer" in said[0] and "answers again" in said[-1]
    stub.fault = lambda number: 500
    with pytest.raises(Stopped, match=r"has not answered for 0.5 s \(HTTP 500: EngineCore encountered an issue\)"):
        sampled(one, bare, prompts, 1.0)


def test_a_server_that_was_started_anew_is_given_the_adapter_again(stub, served, loaded):
    bare, prompts, ends = loaded
    model, one = with_adapter(copy.deepcopy(bare), "lora"), served()
    sampled(one, model, prompts, 1.0)
    stub.adapters.clear()
    assert_same(sampled(one, model, prompts, 1.0), here(model, prompts, ends, 1.0))
    stub.takes_adapters = False
    stub.adapters.clear()
    with pytest.raises(ServerError, match="to be started with"):
        sampled(one, model, prompts, 1.0)


def test_what_cannot_be_a_completion_is_refused(stub, served, loaded):
    _, prompts, ends = loaded
    one = served()
    one.ends = ends | {10**6}  # which the server never says
    limit = Asked(prompts[0], 0, LIMIT, 1.0)
    whole = {"token_ids": [5] * LIMIT, "logprobs": {"token_logprobs": [-1.0] * LIMIT}}

    def answer(**changes):
        return one.answer({"choices": [whole | changes]}, limit, keeps_log_probs=True)

    assert answer() == ([5] * LIMIT, [-1.0] * LIMIT)
    with pytest.raises(ServerError, match=r"without token ids or log-probabilities; vLLM has them from 0.10.2 on"):
        answer(token_ids=None)
    with pytest.raises(ServerError, match="answers 11 tokens with 10 log-probabilities"):
        answer(token_ids=[5] * 11)
    with pytest.raises(ServerError, match="ended a completion at the token 5, which ends none in this run"):
        answer(token_ids=[5], logprobs={"token_logprobs": [-1.0]})
    with pytest.raises(ServerError, match="nan or infinity"):
        answer(logprobs={"token_logprobs": [float("nan")] * LIMIT})


@pytest.mark.gpu
def test_vllm_itself_samples_what_this_machine_would(loaded, served):
    """Needs a server: TINYREASON_TEST_VLLM=URL, started as docs/server.md says, and TINYREASON_TEST_MODEL on it."""
    url, name = (os.environ.get(f"TINYREASON_TEST_{word}") for word in ("VLLM", "MODEL"))
    if not (url and name):
        near = shutil.which("vllm") or importlib.util.find_spec("vllm")
        pytest.skip(f"no vLLM server: TINYREASON_TEST_VLLM and _MODEL name none; vllm is {'' if near else 'not '}here")
    from tinyreason.config.run_config import Kernels
    from tinyreason.models.hardware import find_card
    from tinyreason.models.load import compute_settings_for, load_model

    config = Model(name=name)
    model, tokenizer = load_model(config, compute_settings_for(config, Kernels(), find_card()))
    model.eval()
    prompts, ends = tokenizer(list(TEXTS), add_special_tokens=False)["input_ids"], end_tokens(model, tokenizer)
    one = served(url=url)
    one.base, one.name = config, ""
    meet(one, LIMIT)
    print(try_out(one, model, prompts, ends))
    model = one.adapter.attach(model, 0)
    for parameter in (p for p in model.parameters() if p.requires_grad):
        parameter.data += 0.05 * torch.randn_like(parameter)
    ids, theirs = sampled(one, model, prompts, 1.0)
    for prompt, row, values in zip(prompts, ids, theirs, strict=True):
        assert values == pytest.approx(log_probs_of(model, prompt, row, 1.0), abs=0.3)
