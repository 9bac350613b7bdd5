"""OOM retry: when the memory overflows, the same rollouts again, fewer rows at a time, the gradient unchanged.

Caught at generation, at scoring (the log-probs of the reference) and at the backward pass. Groups and the step's batch
stay as they are. GRPO: a micro-batch's loss is computed over all its rows, as TRL normalises it, from log-probs whose
activations are thrown away and computed again part by part (activation checkpointing over rows), so that the gradient
is that of the whole micro-batch for every kind of loss; it costs one more forward pass. SFT: its loss is a sum over
tokens, so the parts of a micro-batch simply add up. What worked is remembered for the card, the model and the lengths.
"""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from tinyreason.atomic import write_text
from tinyreason.config.run_config import RunConfig
from tinyreason.errors import MemoryLimit
from tinyreason.models.kernels import ComputeSettings
from tinyreason.models.load import free_memory, is_out_of_memory
from tinyreason.trainers.shared_prefixes import in_parts, together
from tinyreason.trainers.trl_seam import (
    MicroBatchSeam,
    RolloutSeam,
    logit_chunk,
    random_states,
    restore_random_states,
    set_logit_chunk,
)

SMALLEST_CHUNK = 2048
"""TRL makes logits for 32,768 tokens of the vocabulary at once; for so many at least."""


@dataclass
class RowLimits:
    """How much is done at once; None = as the recipe has it."""

    key: str
    say: Callable[[str], None]
    rows: int | None = None
    generated_rows: int | None = None
    logit_chunk: int | None = None
    is_news: bool = False

    @staticmethod
    def of(config: RunConfig, compute: ComputeSettings, say: Callable[[str], None]) -> "RowLimits":
        """Returns what the card, the model and the lengths of this run are known to need."""
        train, card = config.train, compute.card.name if compute.card else "CPU"
        lengths = f"{getattr(train, train.tokens_option)} tokens"
        rows = f"{config.micro_rows} of {train.rows_per_step} rows"
        teacher = config.teacher_model
        by = f"{config.trainer} by {teacher.name} {teacher.quantize}" if teacher else config.trainer
        key = " · ".join((card, config.model.name, config.model.quantize, by, lengths, rows))
        limits = RowLimits(key, say)
        known = read_known().get(key)
        if known:
            limits.restore(known)
            say(f"memory  {limits.describe()}, as it turned out before ({known_file()})")
        return limits

    def state(self) -> dict[str, int | None]:
        """Returns the limits as JSON."""
        return {name: getattr(self, name) for name in ("rows", "generated_rows", "logit_chunk")}

    def restore(self, state: dict[str, int | None]) -> None:
        """Sets what `state` returned."""
        self.rows, self.generated_rows = state["rows"], state["generated_rows"]
        self.limit_logits(state["logit_chunk"])

    def limit_logits(self, size: int | None) -> None:
        """Has logits made for at most `size` tokens of the vocabulary at once; None = as TRL has it."""
        self.logit_chunk = size
        if size:
            set_logit_chunk(size)

    def describe(self) -> str:
        """Returns the limits in words."""
        named = ((self.rows, "rows"), (self.generated_rows, "completions"), (self.logit_chunk, "tokens' logits"))
        return ", ".join(f"{count} {what}" for count, what in named if count) + " at a time"

    def shrink(self, place: str, rows: int) -> None:
        """Lowers a limit after `rows` at once were too many. Errors: `MemoryLimit` when nothing is left to lower."""
        chunk = self.logit_chunk or logit_chunk()
        if rows > 1 and place == "generation":
            self.generated_rows = rows // 2
        elif rows > 1:
            self.rows = rows // 2
        elif place != "generation" and chunk > SMALLEST_CHUNK:
            self.limit_logits(chunk // 2)
        else:
            raise MemoryLimit(
                f"out of memory at {place} with a single row at a time; make the rows shorter with "
                f"train.max_completion_tokens= (sft: train.max_tokens=), the adapter smaller with adapter.rank=, or "
                f"hold the base in 4 bits with model.quantize=nf4."
            )
        self.say(f"out of memory at {place}: again with {self.describe()}; groups and the step's batch are the same")
        self.is_news = True

    def remember(self) -> None:
        """Writes down what has just worked, in the user's cache."""
        if self.is_news:
            self.is_news = False
            with suppress(OSError):
                file = known_file()
                file.parent.mkdir(parents=True, exist_ok=True)
                write_text(file, json.dumps(read_known() | {self.key: self.state()}, indent=1))


def known_file() -> Path:
    """Returns where it is remembered what cards can hold: a file in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinyreason" / "memory.json"


def read_known() -> dict[str, dict]:
    """Returns the limits that worked, by the key of the run."""
    try:
        known = json.loads(known_file().read_text(encoding="utf-8"))
        names = {"rows", "generated_rows", "logit_chunk"}
        return {key: state for key, state in known.items() if state.keys() == names}
    except (OSError, ValueError, AttributeError):
        return {}


class OomRetry(MicroBatchSeam):
    """Laid behind a trainer of TRL: repeats a micro-batch in parts when it does not fit."""

    limits: RowLimits

    def row_parts(self, inputs: dict[str, Any], num_items_in_batch) -> list[dict[str, Any]]:
        """Returns the parts of a micro-batch whose losses add up to its own."""
        return [inputs]

    def shared_out(self, passes: Callable[[], torch.Tensor]) -> torch.Tensor:
        """Returns the loss of a micro-batch after its passes; 0 where they are not this process's."""
        return passes()

    def training_step(self, model, inputs, num_items_in_batch=None) -> torch.Tensor:
        model.train()
        inputs = self.prepared(inputs)
        return self.shared_out(lambda: self.passes(model, inputs, num_items_in_batch))

    def passes(self, model, inputs: dict[str, Any], num_items_in_batch=None) -> torch.Tensor:
        """Returns the loss of a prepared micro-batch, after its forward and backward pass in as many parts as fit."""
        trained = [p for p in model.parameters() if p.requires_grad]
        while True:
            gradients = [None if p.grad is None else p.grad.clone() for p in trained]
            counters, states = self.loss_counters(), random_states()
            try:
                with self.ready_inputs():
                    parts = self.row_parts(inputs, num_items_in_batch)
                    loss = sum(super(OomRetry, self).training_step(model, dict(p), num_items_in_batch) for p in parts)
                self.limits.remember()
                return loss
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            for parameter, gradient in zip(trained, gradients, strict=True):
                parameter.grad = gradient
            self.restore_loss_counters(counters)
            restore_random_states(states)
            free_memory()
            self.limits.shrink("the backward pass", min(count_rows(inputs), self.limits.rows or count_rows(inputs)))


class OomRetryRollouts(RolloutSeam):
    """Laid before TRL's GRPO: samples fewer rollouts at once, and scores fewer rows at once."""

    limits: RowLimits

    def sample_rows(self, prompts: list[list[int]], sample: Callable[[list[list[int]], int], list]) -> list:
        while True:
            rows, states = min(len(prompts), self.limits.generated_rows or len(prompts)), random_states()
            try:
                parts = [sample(prompts[at : at + rows], at) for at in range(0, len(prompts), rows)]
                return [ids for part in parts for ids in part]
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            restore_random_states(states)
            free_memory()
            self.limits.shrink("generation", rows)

    def score_rows(self, ids, mask, batch_size: int | None, score: Callable) -> tuple:
        count = len(ids)
        if torch.is_grad_enabled():
            rows = min(count, self.limits.rows or count)
            if rows == count:
                return score(ids, mask, batch_size)
            parts = together(ids, rows)
            return in_parts(parts, [checkpoint(score, ids[part], mask[part], use_reentrant=False) for part in parts])
        while True:
            rows = min(batch_size or count, self.limits.rows or count)
            try:
                return score(ids, mask, rows)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            free_memory()
            self.limits.shrink("scoring", rows)


class OomRetryRows(OomRetry):
    """The same for SFT, whose loss is a sum over tokens."""

    def row_parts(self, inputs: dict[str, Any], num_items_in_batch) -> list[dict[str, Any]]:
        count = count_rows(inputs)
        rows = self.limits.rows or count
        if num_items_in_batch is None or rows >= count:
            return [inputs]
        return [{name: value[at : at + rows] for name, value in inputs.items()} for at in range(0, count, rows)]


def count_rows(inputs: dict[str, Any]) -> int:
    """Returns the rows of a micro-batch; rows packed into one sequence count as one."""
    return len(inputs["prompt_ids"] if "prompt_ids" in inputs else inputs["input_ids"])
