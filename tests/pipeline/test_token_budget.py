"""A budget of tokens: a run ends at the step that spends it, also where it was interrupted before."""

import io
import json

import pytest
from rich.console import Console as RichConsole

from tinyreason.config.recipe import read_recipe
from tinyreason.console import Console
from tinyreason.errors import Stopped
from tinyreason.models.load import compute_settings_for
from tinyreason.pipeline.run import run
from tinyreason.runs.context import RunContext

SMALL = ("evaluation.problems=4", "evaluation.samples=1", "evaluation.template_check=false", "train.max_steps=9")
GRPO = ("rlvr", *SMALL, "train.rollouts_per_step=8", "train.group_size=4", "data.size=8", "train.token_budget=700")
SFT = ("reasoning_sft", *SMALL, "train.batch_size=4", "data.size=16", "train.token_budget=700")


def metrics_of(words, out, *callbacks):
    config = read_recipe(words[0]).resolve("sandbox", words[1:], seed=0)
    compute = compute_settings_for(config.model, config.kernels, card=None)
    run(config, out, RunContext(Console(RichConsole(file=io.StringIO())), compute, callbacks=callbacks))
    rows = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
    return [{name: value for name, value in row.items() if not name.startswith("time/")} for row in rows]


@pytest.mark.parametrize("words", [GRPO, SFT], ids=["grpo", "sft"])
def test_it_ends_at_the_step_that_spends_it_and_does_so_again_after_an_interruption(words, tmp_path):
    whole = metrics_of(words, tmp_path / "whole")
    spent = [row["tokens/spent"] for row in whole]
    assert sum(spent) >= 700 > sum(spent[:-1]) and 2 < len(whole) < 9
    with pytest.raises(Stopped):
        metrics_of(words, tmp_path / "cut", lambda step, metrics: step == 1)
    assert metrics_of(words, tmp_path / "cut") == whole


def test_of_sft_each_token_that_is_trained_on_counts_once(tmp_path):
    from tinyreason.models.tokenizer import load_tokenizer

    (row, *_) = metrics_of((*SFT, "train.max_steps=1", "train.batch_size=16"), tmp_path / "one")
    config = read_recipe("reasoning_sft").resolve("sandbox", SFT[1:], seed=0)
    tokenizer = load_tokenizer(config.model)
    texts = [example.completion for example in config.data.load()]
    counted = sum(len(tokenizer(text, add_special_tokens=False)["input_ids"]) + 1 for text in texts)  # and the end
    assert row["tokens/spent"] == counted


def test_a_warm_up_has_a_budget_of_its_own(tmp_path):
    train = "{max_steps: 9, batch_size: 4, max_tokens: 256, max_completion_tokens: 128, token_budget: 700}"
    warmup = f"warmup={{data: {{kind: solutions, name: sandbox, size: 16}}, train: {train}}}"
    metrics_of((*GRPO, "train.max_steps=1", warmup), tmp_path / "run")
    rows = map(json.loads, (tmp_path / "run" / "warmup" / "metrics.jsonl").read_text().splitlines())
    spent = [row["tokens/spent"] for row in rows]
    assert sum(spent) >= 700 > sum(spent[:-1]) and len(spent) < 9
