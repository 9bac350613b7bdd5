"""Supervised fine-tuning through TRL: on the completions alone, each row as much as it weighs."""

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset
from torch.nn.utils.rnn import pad_sequence
from trl import SFTConfig, SFTTrainer

from tinyreason.config.sft_loss import weigh_alike
from tinyreason.example import Example
from tinyreason.models.fast_linear import fast_linears
from tinyreason.models.shared_attention import NAME
from tinyreason.models.training_rows import IGNORED, context_for, tokenised
from tinyreason.runs.checkpoint import CheckpointManager
from tinyreason.trainers.loop import SessionTrainer
from tinyreason.trainers.masked_thought import masked, rate_at
from tinyreason.trainers.oom import OomRetryRows
from tinyreason.trainers.row_losses import row_losses, sign_means
from tinyreason.trainers.session import SPENT, TrainingSession, Watch


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

    def training_step(self, model, inputs: dict[str, Any], *more: Any, **named: Any) -> torch.Tensor:
        train, step = self.session.config.train, self.state.global_step
        if rate := rate_at(step, train.max_steps, train.mask_rate, train.mask_warmup):
            tokenizer, first_row = self.session.tokenizer, len(self.finite.losses) * self.session.config.micro_rows
            vocabulary = len(tokenizer) if train.mask_with == "random" else None
            pad, seed = tokenizer.pad_token_id, self.session.config.seed
            inputs = masked(inputs, rate, seed, step, first_row, vocabulary, pad)
        return super().training_step(model, inputs, *more, **named)

    def get_batch_samples(self, *arguments: Any, **named: Any):
        batches, tokens = super().get_batch_samples(*arguments, **named)
        self.add_metric(SPENT, float(sum((batch["labels"] != IGNORED).sum() for batch in batches)))
        return batches, tokens

    def run(self) -> None:
        compute = self.session.context.compute
        on_cpu = compute.device == "cpu"
        is_half_on_cpu = on_cpu and compute.dtype.got == "bfloat16"
        if is_half_on_cpu and compute.attention.got == "sdpa":
            self.model.get_base_model().set_attn_implementation(NAME)
        with fast_linears(self.model) if is_half_on_cpu or not on_cpu else nullcontext():
            super().run()


class WeightedSFTTrainer(LeafSFTTrainer):
    """TRL's SFT with a weight a token, which may be negative, and the losses of `row_losses`."""

    rows_in_step = 0

    def get_batch_samples(self, *arguments: Any, **named: Any):
        batches, tokens = super().get_batch_samples(*arguments, **named)
        self.rows_in_step = sum(len(batch["input_ids"]) for batch in batches)
        return batches, tokens

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        train, weights, mu_logp = self.session.config.train, inputs.pop("weights")[:, 1:], inputs.pop("mu_logp", None)
        outputs = model(**inputs, use_cache=False, fused_lm_head=True)
        by_row = row_losses(outputs.log_probs, outputs.label_mask, weights, train.loss, train.normalize, mu_logp)
        tokens = outputs.label_mask.sum() if num_items_in_batch is None else num_items_in_batch
        loss = by_row.sum() / (tokens if train.normalize == "tokens" else self.rows_in_step)
        for name, value in sign_means(outputs.log_probs.detach(), outputs.label_mask, weights).items():
            self.add_metric(f"logp/{name}", value)
        return (loss, outputs) if return_outputs else loss


@dataclass(frozen=True)
class Padder:
    """Rows → (N, T) tensors, padded on the right."""

    pad_token_id: int

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        ids, labels, weights = (
            [torch.tensor(row[name]) for row in rows] for name in ("input_ids", "labels", "weights")
        )
        sampled = {"mu_logp": torch.tensor([row["mu_logp"][0] for row in rows])} if "mu_logp" in rows[0] else {}
        return {
            "input_ids": pad_sequence(ids, batch_first=True, padding_value=self.pad_token_id),
            "labels": pad_sequence(labels, batch_first=True, padding_value=IGNORED),
            "attention_mask": pad_sequence([torch.ones_like(row) for row in ids], batch_first=True),
            "weights": pad_sequence(weights, batch_first=True),
            **sampled,
        }


def train(
    session: TrainingSession, examples: list[Example], watch: Watch, checkpoints: CheckpointManager | None = None
) -> None:
    """Trains the session's adapter; every step's metrics go to its folder, the rows' lengths to the console.

    Errors: `ConfigError` or `DataError` where no row fits, or the loss cannot be computed of them.
    """
    rows, lengths = tokenised(
        session.config, session.tokenizer, examples, context_for(session.config, session.model.config)
    )
    session.context.console.say(f"rows    {lengths}")
    options = session.config.train
    options.check_rows(examples)
    if weigh_alike(examples) and (options.loss, options.normalize) == ("nll", "tokens"):
        rows = [{name: row[name] for name in ("input_ids", "labels")} for row in rows]
        trainer = LeafSFTTrainer(session, watch, checkpoints, train_dataset=Dataset.from_list(rows))
    else:
        padder = Padder(session.tokenizer.pad_token_id)
        trainer = WeightedSFTTrainer(
            session, watch, checkpoints, train_dataset=Dataset.from_list(rows), data_collator=padder
        )
    trainer.run()
