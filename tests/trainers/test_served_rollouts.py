"""Training on what a server samples: the rollouts and the gradients are those of sampling here, step after step."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from gradients import assert_close, gradients
from kills import digest, steps_saved
from sessions import said, session_of
from vllm_stub import VllmStub

from tinyreason import trainers
from tinyreason.config.recipe import read_recipe
from tinyreason.errors import ConfigError, Stopped
from tinyreason.evaluation.score import Evaluator
from tinyreason.inference.engines.tokens import uniforms_of
from tinyreason.inference.engines.vllm_server import ServedModel, number_of
from tinyreason.models.chat_template import end_tokens
from tinyreason.models.load import compute_settings_for, load_model
from tinyreason.trainers import rollouts
from tinyreason.trainers.grpo import DIFFERENCE

STEPS = ("train.max_steps=2", "train.rollouts_per_step=8", "train.group_size=4", "train.max_completion_tokens=16")
SERVED = "inference.engine=vllm_server"


@pytest.fixture(scope="module")
def load():
    config = read_recipe("rlvr").resolve("sandbox", ())
    return lambda: load_model(config.model, compute_settings_for(config.model, config.kernels, None))


@pytest.fixture
def stub(load):
    with VllmStub(load()[0]) as server:
        yield server


def session_with(config, folder, load, stub=None):
    """An open session of an adapter that is not at its start; its context has the server, where there is one."""
    model, tokenizer = load()
    ends, bare = end_tokens(model, tokenizer), model
    model = config.adapter.attach(bare, 0)
    generator = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and "lora_B" in name:
            parameter.data.normal_(std=0.05, generator=generator)
    opened = session_of(config, folder, model=model, tokenizer=tokenizer)
    if stub is None:
        return opened, None
    settings = config.inference.server.model_copy(update={"url": stub.url, "patience_s": 0.3})
    server = ServedModel(settings, config.model, config.adapter, folder / "served", print, "sandbox", ends)
    return opened, server


def trained(folder, load, *overrides, stub=None):
    """(gradients of each step, completions, metrics) of two steps."""
    config = read_recipe("rlvr").resolve("sandbox", (*STEPS, *overrides))
    opened, server = session_with(config, folder, load, stub)
    with opened as session, gradients() as found:
        session = replace(session, context=replace(session.context, server=server))
        trainers.train(session, config.data.load()[:8], lambda step, metrics: {})
        rows = session.folder.read_rows("rollouts.jsonl")
        return found, [row["completion"] for row in rows], session.folder.read_rows("metrics.jsonl")


@pytest.mark.parametrize("more", [("train.kl=0", "rewards=[{kind: random}]"), ("train.kl=0.01",)], ids=["no KL", "KL"])
def test_a_training_by_a_server_is_the_training_by_this_machine(tmp_path, load, stub, monkeypatch, more):
    found, completions, metrics = trained(tmp_path / "a", load, SERVED, *more, stub=stub)
    monkeypatch.setattr(rollouts, "uniforms_of", lambda seeds, limit: uniforms_of(list(map(number_of, seeds)), limit))
    ours, said_here, metrics_here = trained(tmp_path / "b", load, *more)
    assert completions == said_here and len(set(completions)) > 4
    assert_close(found, ours)
    assert len(stub.loads) == 2  # the adapter of each step
    assert all(row[DIFFERENCE] < 1e-4 for row in metrics) and DIFFERENCE not in metrics_here[0]


def test_what_a_server_samples_of_other_numbers_is_weighed_for_it(tmp_path, load, stub):
    """A server whose base differs a little: the ratio starts from what the server sampled from."""
    for parameter in stub.base.parameters():
        parameter.data += 0.002 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
    _, _, metrics = trained(tmp_path / "a", load, SERVED, "train.kl=0", stub=stub)
    assert all(1e-3 < row[DIFFERENCE] < 0.5 for row in metrics)


def test_a_server_that_dies_in_a_step_ends_the_run_and_other_uses_are_refused(tmp_path, load, stub):
    stub.fault = lambda number: 500 if number >= 10 else None
    with pytest.raises(Stopped, match=r"has not answered for 0.3 s"):
        trained(tmp_path / "a", load, SERVED, stub=stub)
    assert len((tmp_path / "a" / "metrics.jsonl").read_text().splitlines()) == 1
    with pytest.raises(ConfigError, match=r"inference.engine=vllm_server samples for runs alone; leave it out here"):
        trained(tmp_path / "b", load, SERVED)


@pytest.mark.stress
def test_a_run_whose_server_dies_ends_saved_and_resumes_to_the_same_bits(tmp_path, stub):
    words = ("rlvr", *STEPS[1:], "train.max_steps=4", "evaluation.problems=4", "evaluation.samples=1", SERVED)
    words += ("evaluation.max_completion_tokens=16", "validation=null", "checkpoints.every_steps=1", "train.kl=0.01")
    words += (f"inference.server.url={stub.url}", "inference.server.patience_s=1")

    def recipe(out):
        line = [sys.executable, "-m", "tinyreason", "recipe", *words, "--on", "sandbox", "--out", str(out)]
        return subprocess.run(line, capture_output=True, text=True, timeout=600)

    done = recipe(tmp_path / "whole")
    assert done.returncode == 0, done.stderr
    asked = stub.number
    stub.fault = lambda number: 500 if number >= asked + asked // 2 else None
    killed = recipe(tmp_path / "killed")
    assert killed.returncode == 3 and "has not answered for 1 s (HTTP 500" in killed.stderr, killed.stderr
    assert "to resume, type: tinyreason recipe rlvr" in killed.stderr
    assert 0 < steps_saved(tmp_path / "killed") < 4 and not stub.adapters
    refused = recipe(tmp_path / "killed")
    assert refused.returncode in (2, 3) and "Traceback" not in refused.stderr, refused.stderr
    stub.fault = lambda number: None
    resumed = recipe(tmp_path / "killed")
    assert resumed.returncode == 0, resumed.stderr
    assert digest(tmp_path / "killed") == digest(tmp_path / "whole")


def test_an_evaluation_asks_the_server_all_at_once_and_tells_of_each_answer(tmp_path, load, stub):
    config = read_recipe("rlvr").resolve("sandbox", (SERVED, "evaluation.temperature=0", "evaluation.samples=1"))
    opened, server = session_with(config, tmp_path / "a", load, stub)
    with opened as session:
        examples, heard, counts = config.data.load()[:12], [], {}
        for name, its in (("server", server), ("here", None)):
            context = replace(session.context, server=its)
            evaluator = Evaluator(config, context, session.tokenizer, session.grader)
            score = evaluator.sample(session.model, examples, 1, heard.append)
            counts[name] = [[one.text for one in row] for row in score.completions_P_S]
    assert counts["server"] == counts["here"]
    assert heard[:12] == [1] * 12 and sum(heard) == 24


def test_a_whole_run_is_sampled_by_the_server_and_leaves_nothing_on_it(tmp_path, load, stub):
    from sessions import context_of

    from tinyreason.pipeline.run import run

    small = ("evaluation.problems=4", "evaluation.samples=1", "evaluation.max_completion_tokens=16", "validation=null")
    words = (*STEPS, *small, "train.max_steps=1", SERVED, f"inference.server.url={stub.url}")
    config = read_recipe("rlvr").resolve("sandbox", words)
    context = context_of(config)
    result = run(config, tmp_path / "run", context)
    assert f"engine vllm_server (vLLM 0.19.0 at {stub.url}; its log-probabilities are " in said(context)
    assert result.training.steps == 1 and not stub.adapters and not (tmp_path / "run" / "served").exists()
    config = read_recipe("rlvr").resolve("sandbox", (*words[:-1], "inference.server.url=http://localhost:1"))
    assert run(config, tmp_path / "run", context_of(config)) is not None  # finished, wherever the server is now
