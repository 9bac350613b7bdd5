"""Tries code of the person's own before anything long begins: it is loaded, then asked about ten completions."""

import time
from dataclasses import replace
from random import Random
from typing import Any

import torch

from tinyreason.algorithms.advantages import OwnAdvantage, check_level, estimate
from tinyreason.algorithms.rewards import OwnReward, weigh
from tinyreason.algorithms.samplers import OwnSampler, check_decisions
from tinyreason.config.own_code import own_leaves
from tinyreason.config.run_config import RunConfig
from tinyreason.errors import ConfigError
from tinyreason.evaluation.score import Evaluator
from tinyreason.example import Example
from tinyreason.inference.sampling import sample_completions
from tinyreason.rollout import Batch
from tinyreason.store import Store

COMPLETIONS = 10
TOKENS = 128
"""The longest of the completions that own code is tried on."""


def load_own_code(config: RunConfig) -> None:
    """Loads what rewards, compares and samples, before any weight is read. Errors: `ConfigError` with its line."""
    for leaf in own_leaves(config):
        if isinstance(leaf, OwnReward | OwnAdvantage | OwnSampler):
            leaf.process()
    for one in (config, *(stage for _, stage in config.stage_configs)):
        if own_samplers(one):
            try:
                check_decisions(one.samplers, one)
            except ConfigError:
                raise
            except ValueError as error:
                raise ConfigError(f"{error}.") from None


def try_own_code(evaluator: Evaluator, model: Any, examples: list[Example]) -> None:
    """Asks rewards, advantages and samplers of the person's own about ten sampled completions; says what they gave.

    Errors: `ConfigError` with the file's line where one raises, is late, or gives too few numbers or none.
    """
    config, console = evaluator.config, evaluator.context.console
    own = [reward for reward in config.rewards if isinstance(reward, OwnReward)]
    own_advantages = [advantage.kind for advantage in config.advantages if isinstance(advantage, OwnAdvantage)]
    samplers = own_samplers(config)
    if not own and not own_advantages and not samplers:
        return
    batch = sampled_batch(evaluator, model, examples[:2])
    for reward in own:
        begun = time.perf_counter()
        values = reward(batch, Store())
        took = f"{1000 * (time.perf_counter() - begun):.0f} ms"
        told = values[~values.isnan()]
        given = f"from {told.min():g} to {told.max():g}" if len(told) else "nothing it could tell"
        console.say(f"tried   {reward.kind} on {len(batch.texts)} sampled completions: {given}, in {took}")
    if own_advantages:
        weigh(config.rewards, batch, Store())
        batch.reward = batch.reward.nan_to_num(0.0)
        check_level(estimate(config.advantages, batch, batch.reward, Store()), config)
        console.say(f"tried   {', '.join(own_advantages)} on {len(batch.texts)} sampled completions")
    for sampler in samplers:
        begun = time.perf_counter()
        try_sampler(sampler, config, batch, examples)
        took = f"{1000 * (time.perf_counter() - begun):.0f} ms"
        console.say(f"tried   {sampler.kind}, which decides {', '.join(sampler.decisions())}, in {took}")


def own_samplers(config: RunConfig) -> list[OwnSampler]:
    """Returns the samplers of a run whose code is the person's own."""
    return [sampler for sampler in config.samplers if isinstance(sampler, OwnSampler)]


def try_sampler(sampler: OwnSampler, config: RunConfig, batch: Batch, examples: list[Example]) -> None:
    """Asks a sampler all that it decides, with a store of its own. Errors: `ConfigError` with the file's line."""
    store, train, zeros = Store(), config.train, torch.zeros(len(batch.texts))
    decided = sampler.decisions()
    if "choose" in decided:
        sampler.choose(examples, train.generated_rows // train.group_size, Random(0), store)
    if "keep" in decided:
        sampler.keep(batch, zeros, store)
    sampler.observe(batch, zeros, store)
    if "temperature" in decided:
        sampler.temperature(train.temperature, batch, store)
    sampler.metrics(store)


def sampled_batch(evaluator: Evaluator, model: Any, examples: list[Example]) -> Batch:
    """Returns ten graded completions of the base to one problem, or five to each of two; its step is 0."""
    samples = COMPLETIONS // len(examples)
    sampling = evaluator.sampling(samples)
    sampling = replace(sampling, max_completion_tokens=min(TOKENS, sampling.max_completion_tokens))
    texts, tokens, truncated = sample_completions(model, evaluator.tokenizer, examples, sampling, lambda count: None)
    asked = [example for example in examples for _ in range(samples)]
    verdicts = evaluator.grader.grade_examples(texts, asked, truncated)
    ids = [evaluator.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    mask = torch.arange(max(map(len, ids))) < torch.tensor([len(row) for row in ids])[:, None]
    unsaid = dict.fromkeys(("logp", "entropy", "ref_logp"), mask.float())  # stand in for what is known in training
    return Batch(
        examples=asked,
        texts=texts,
        ids=ids,
        mask=mask,
        **unsaid,
        group=torch.arange(len(texts)) // samples,
        length=torch.tensor(tokens),
        truncated=torch.tensor(truncated),
        correct=torch.tensor([torch.nan if v.correct is None else float(v.correct) for v in verdicts]),
        group_size=samples,
        max_completion_tokens=evaluator.config.train.max_completion_tokens,
        step=0,
    )
