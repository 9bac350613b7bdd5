"""Supervised fine-tuning through TRL: on the completions alone, each row as much as it weighs."""

from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import Any

import torch
from datasets import Dataset
from torch.nn.utils.rnn import pad_sequence
from trl import SFTConfig, SFTTrainer

from tinyreason.config.run_config import RunConfig
from tinyreason.errors import ConfigError, DataError
from tinyreason.example import Example
from tinyreason.grading.thought import as_written
from tinyreason.models.chat_template import last_token, render
from tinyreason.prompts import chat_messages
from tinyreason.runs.checkpoint import CheckpointManager
from tinyreason.trainers.loop import SessionTrainer
from tinyreason.trainers.oom import OomRetryRows
from tinyreason.trainers.session import TrainingSession, Watch

IGNORED = -100
"""Label of a token that no loss is on."""


@dataclass(frozen=True)
class Lengths:
    """What the rows look like before training."""

    rows: int
    median_tokens: int
    longest_tokens: int
    left_out: int
    max_tokens: int

    def __str__(self) -> str:
        text = f"{self.rows:,} rows, {self.median_tokens} tokens in the middle, {self.longest_tokens} at most"
        return text + (f"; {self.left_out:,} longer than {self.max_tokens} left out" if self.left_out else "")


def tokenised(config: RunConfig, tokenizer, examples: list[Example]) -> tuple[list[dict[str, Any]], Lengths]:
    """Returns rows {input_ids, labels, weights}, each (T,), and their lengths; prompt labels are ignored.

    Errors: `DataError` where no row fits.
    """
    train = config.train
    rows, left_out, end = [], 0, last_token(tokenizer)
    for example in examples:
        chat = chat_messages(example, config.prompt)
        (prompt,) = render(tokenizer, [chat], config.template_options)
        completion = as_written(example.completion, prompt, str(tokenizer.chat_template))
        start = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        encoded = tokenizer(completion, add_special_tokens=False, return_offsets_mapping=bool(example.spans))
        ids = [*encoded["input_ids"], end]
        weights = [example.weight] * len(ids)
        for place, (first, _) in enumerate(encoded.get("offset_mapping", ())):
            weights[place] *= span_weight(example, first + len(example.completion) - len(completion))
        if train.truncate_ratio < 1:
            ids = ids[: ceil(train.truncate_ratio * len(ids))]
        if len(start) + len(ids) > train.max_tokens:
            left_out += 1
            continue
        labels = [IGNORED] * len(start) + ids
        weights = [0.0] * len(start) + weights[: len(ids)]
        rows.append({"input_ids": start + ids, "labels": labels, "weights": weights})
    if not rows:
        raise DataError(f"all {left_out:,} rows are longer than train.max_tokens={train.max_tokens}; raise it.")
    sizes = [len(row["input_ids"]) for row in rows]
    return rows, Lengths(len(rows), round(median(sizes)), max(sizes), left_out, train.max_tokens)


class LeafSFTTrainer(SessionTrainer, SFTTrainer, OomRetryRows):
    """TRL's SFT with our checkpoints and an OOM retry."""

    arguments_class = SFTConfig
    metric_names = {
        "loss": "loss",
        "mean_token_accuracy": "token_accuracy",
        "entropy": "entropy/mean",
        "grad_norm": "gradient/norm",
        "learning_rate": "learning_rate",
        "num_tokens": "tokens_seen",
    }
    step_sign = "loss"


def span_weight(example: Example, place: int) -> float:
    """Returns what a character of the completion counts, by the last span that holds it; 1 outside them all."""
    return next((weight for start, end, weight in reversed(example.spans) if start <= place < end), 1.0)


class WeightedSFTTrainer(LeafSFTTrainer):
    """TRL's SFT with a weight a token: loss = Σ weight · nll / number of trained tokens."""

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        weights = inputs.pop("weights")[:, 1:]
        outputs = model(**inputs, use_cache=False, fused_lm_head=True)
        tokens = outputs.label_mask.sum() if num_items_in_batch is None else num_items_in_batch
        loss = -(weights * outputs.log_probs).sum() / tokens
        return (loss, outputs) if return_outputs else loss


@dataclass(frozen=True)
class Padder:
    """Rows → (N, T) tensors, padded on the right."""

    pad_token_id: int

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        ids, labels, weights = ([torch.tensor(row[name]) for row in rows] for name in rows[0])
        return {
            "input_ids": pad_sequence(ids, batch_first=True, padding_value=self.pad_token_id),
            "labels": pad_sequence(labels, batch_first=True, padding_value=IGNORED),
            "attention_mask": pad_sequence([torch.ones_like(row) for row in ids], batch_first=True),
            "weights": pad_sequence(weights, batch_first=True),
        }


def train(
    session: TrainingSession, examples: list[Example], watch: Watch, checkpoints: CheckpointManager | None = None
) -> None:
    """Trains the session's adapter; every step's metrics go to its folder, the rows' lengths to the console.

    Errors: `ConfigError` where packing is asked for and the rows differ in weight, `DataError` where no row fits.
    """
    rows, lengths = tokenised(session.config, session.tokenizer, examples)
    session.context.console.say(f"rows    {lengths}")
    is_even = all(example.weight == examples[0].weight and not example.spans for example in examples)
    if session.config.train.packing and not is_even:
        raise ConfigError(
            "train.packing=true wants rows of one weight without spans, and these differ; type train.packing=false."
        )
    if is_even:
        rows = [{name: row[name] for name in ("input_ids", "labels")} for row in rows]
        trainer = LeafSFTTrainer(session, watch, checkpoints, train_dataset=Dataset.from_list(rows))
    else:
        padder = Padder(session.tokenizer.pad_token_id)
        trainer = WeightedSFTTrainer(
            session, watch, checkpoints, train_dataset=Dataset.from_list(rows), data_collator=padder
        )
    trainer.run()
