"""Tries code of the person's own before anything long begins: it is loaded, then asked about ten completions."""

import time
from dataclasses import replace
from typing import Any

import torch

from tinyreason.algorithms.advantages import OwnAdvantage, check_level, estimate
from tinyreason.algorithms.rewards import OwnReward, weigh
from tinyreason.config.own_code import own_leaves
from tinyreason.config.run_config import RunConfig
from tinyreason.evaluation.score import Evaluator
from tinyreason.example import Example
from tinyreason.inference.sampling import sample_completions
from tinyreason.rollout import Batch
from tinyreason.store import Store

COMPLETIONS = 10
TOKENS = 128
"""The longest of the completions that own code is tried on."""


def load_own_code(config: RunConfig) -> None:
    """Loads what rewards and compares, before any weight is read. Errors: `ConfigError` with the file's line."""
    for leaf in own_leaves(config):
        if isinstance(leaf, OwnReward | OwnAdvantage):
            leaf.process()


def try_own_code(evaluator: Evaluator, model: Any, examples: list[Example]) -> None:
    """Asks rewards and an advantage of the person's own about ten sampled completions; says what they gave.

    Errors: `ConfigError` with the file's line where one raises, is late, or gives too few numbers or none.
    """
    config, console = evaluator.config, evaluator.context.console
    own = [reward for reward in config.rewards if isinstance(reward, OwnReward)]
    own_advantages = [advantage.kind for advantage in config.advantages if isinstance(advantage, OwnAdvantage)]
    if not own and not own_advantages:
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
