"""When the card overflows: the same rollouts again, fewer rows at a time, the gradient unchanged.

Caught at generation, at scoring (the log-probs of the reference) and at the backward pass. Groups and the step's batch
stay as they are. GRPO: a micro-batch's loss is computed over all its rows, as TRL normalises it, from log-probs whose
activations are thrown away and computed again part by part (activation checkpointing over rows), so that the gradient
is that of the whole micro-batch for every kind of loss; it costs one more forward pass. SFT: its loss is a sum over
tokens, so the parts of a micro-batch simply add up. What worked is remembered for the card, the model and the lengths.
"""

import copy
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint
from transformers import Trainer
from trl.trainer import utils as trl_utils

from tinyreason.config.run_config import RunConfig
from tinyreason.errors import MemoryLimit
from tinyreason.models.kernels import ComputeSettings
from tinyreason.models.load import free_memory, is_out_of_memory

SMALLEST_CHUNK = 2048
"""TRL makes logits for 32,768 tokens of the vocabulary at once; for so many at least."""
TOUCHED = ("_metrics", "_total_train_tokens", "entropy_coef", "_last_world_entropy", "_entropy_window_stats")
"""What TRL's `compute_loss` counts up, taken back before it is asked again."""


@dataclass
class Memory:
    """How much is done at once; None = as the recipe has it."""

    key: str
    say: Callable[[str], None]
    rows: int | None = None
    generated_rows: int | None = None
    logit_chunk: int | None = None

    @staticmethod
    def of(config: RunConfig, compute: ComputeSettings, say: Callable[[str], None]) -> "Memory":
        """What the card, the model and the lengths of this run are known to need."""
        train, card = config.train, compute.card.name if compute.card else "CPU"
        lengths = f"{getattr(train, 'max_tokens', train.max_completion_tokens)} tokens"
        rows = f"{train.micro_batch_size or train.rows_per_step} of {train.rows_per_step} rows"
        key = " · ".join((card, config.model.name, config.model.quantize, config.trainer, lengths, rows))
        memory = Memory(key, say)
        known = read_known().get(key)
        if known:
            memory.restore(known)
            say(f"memory  {memory.describe()}, as it turned out before ({known_file()})")
        return memory

    def state(self) -> dict[str, int | None]:
        return {name: getattr(self, name) for name in ("rows", "generated_rows", "logit_chunk")}

    def restore(self, state: dict[str, int | None]) -> None:
        self.rows, self.generated_rows = state["rows"], state["generated_rows"]
        self.set_chunk(state["logit_chunk"])

    def set_chunk(self, size: int | None) -> None:
        self.logit_chunk = size
        if size:
            trl_utils._CHUNKED_LOGPROB_CHUNK_SIZE = size

    def describe(self) -> str:
        named = ((self.rows, "rows"), (self.generated_rows, "replies"), (self.logit_chunk, "tokens' logits"))
        return ", ".join(f"{count} {what}" for count, what in named if count) + " at a time"

    def shrink(self, place: str, rows: int) -> None:
        """After `rows` at once were too many. Errors: `MemoryLimit` when there is nothing left to make smaller."""
        chunk = self.logit_chunk or trl_utils._CHUNKED_LOGPROB_CHUNK_SIZE
        if rows > 1 and place == "generation":
            self.generated_rows = rows // 2
        elif rows > 1:
            self.rows = rows // 2
        elif place != "generation" and chunk > SMALLEST_CHUNK:
            self.set_chunk(chunk // 2)
        else:
            raise MemoryLimit(
                f"out of memory at {place} with a single row at a time; make the rows shorter with "
                f"train.max_completion_tokens= (sft: train.max_tokens=), the adapter smaller with adapter.rank=, or "
                f"hold the base in 4 bits with model.quantize=nf4."
            )
        self.say(f"out of memory at {place}: again with {self.describe()}; groups and the step's batch are the same")
        self.is_news = True

    is_news: bool = False

    def remember(self) -> None:
        """What has just worked."""
        if self.is_news:
            self.is_news = False
            with suppress(OSError):
                known = read_known() | {self.key: self.state()}
                file = known_file()
                file.parent.mkdir(parents=True, exist_ok=True)
                beside = file.with_name(f".{file.name}.{os.getpid()}.part")
                beside.write_text(json.dumps(known, indent=1), encoding="utf-8")
                beside.replace(file)


def known_file() -> Path:
    """Where it is remembered what cards can hold: in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinyreason" / "memory.json"


def read_known() -> dict[str, dict]:
    """Key of a run → what it did at once."""
    try:
        known = json.loads(known_file().read_text(encoding="utf-8"))
        names = {"rows", "generated_rows", "logit_chunk"}
        return {key: state for key, state in known.items() if state.keys() == names}
    except (OSError, ValueError, AttributeError):
        return {}


class OomRetry(Trainer):
    """Laid between a trainer of TRL and transformers' own: takes a micro-batch again in parts when it does not fit."""

    memory: Memory

    def row_parts(self, inputs: dict[str, Any], num_items_in_batch) -> list[dict[str, Any]]:
        """The parts of a micro-batch whose losses add up to its own."""
        return [inputs]

    def training_step(self, model, inputs, num_items_in_batch=None) -> torch.Tensor:
        model.train()
        inputs = self._prepare_inputs(inputs)  # GRPO: draws and scores the rollouts, if it is time for that
        trained = [p for p in model.parameters() if p.requires_grad]
        while True:
            gradients = [None if p.grad is None else p.grad.clone() for p in trained]
            touched = {name: copy.deepcopy(getattr(self, name)) for name in TOUCHED if hasattr(self, name)}
            states, failed = random_states(), False
            try:
                with self._with_ready_inputs():
                    parts = self.row_parts(inputs, num_items_in_batch)
                    loss = sum(super(OomRetry, self).training_step(model, dict(p), num_items_in_batch) for p in parts)
                self.memory.remember()
                return loss
            except RuntimeError as error:
                failed = is_out_of_memory(error)
                if not failed:
                    raise
            for parameter, gradient in zip(trained, gradients, strict=True):
                parameter.grad = gradient
            for name, value in touched.items():
                setattr(self, name, value)
            restore_random_states(states)
            free_memory()
            self.memory.shrink("the backward pass", min(rows_of(inputs), self.memory.rows or rows_of(inputs)))

    @contextmanager
    def _with_ready_inputs(self) -> Iterator[None]:
        """transformers' `training_step` prepares what it is given; here that is done."""
        self._prepare_inputs = lambda inputs: inputs
        try:
            yield
        finally:
            del self._prepare_inputs


class OomRetryRollouts:
    """Laid before TRL's GRPO: draws fewer rollouts at once, and scores fewer rows at once."""

    def _generate_single_turn(self, prompt_ids, images, multimodal_fields, num_generations, *rest, **more):
        if self.use_vllm:  # it manages its memory itself
            return super()._generate_single_turn(prompt_ids, images, multimodal_fields, num_generations, *rest, **more)
        while True:
            rows, states = min(len(prompt_ids), self.memory.generated_rows or len(prompt_ids)), random_states()
            try:
                drawn = [
                    super(OomRetryRollouts, self)._generate_single_turn(
                        prompt_ids[at : at + rows], images, multimodal_fields, num_generations, *rest, **more
                    )
                    for at in range(0, len(prompt_ids), rows)
                ]
                return [ids for part, _ in drawn for ids in part], None
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            restore_random_states(states)
            free_memory()
            self.memory.shrink("generation", rows)

    def _get_per_token_logps_and_entropies(
        self, model, input_ids, attention_mask, logits_to_keep, batch_size=None, **more
    ):
        ask = super()._get_per_token_logps_and_entropies
        count = len(input_ids)
        if torch.is_grad_enabled():
            rows = min(count, self.memory.rows or count)
            if rows == count:
                return ask(model, input_ids, attention_mask, logits_to_keep, batch_size=batch_size, **more)
            pairs = zip(input_ids.split(rows), attention_mask.split(rows), strict=True)
            parts = [
                checkpoint(ask, model, ids, mask, logits_to_keep, use_reentrant=False, **more) for ids, mask in pairs
            ]
            logps, entropies, aux = zip(*parts, strict=True)
            return (
                torch.cat(logps),
                None if entropies[0] is None else torch.cat(entropies),
                None if aux[0] is None else torch.stack(aux).mean(),
            )
        while True:
            rows = min(batch_size or count, self.memory.rows or count)
            try:
                return ask(model, input_ids, attention_mask, logits_to_keep, batch_size=rows, **more)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            free_memory()
            self.memory.shrink("scoring", rows)


class OomRetryRows(OomRetry):
    """The same for SFT, whose loss is a sum over tokens."""

    def row_parts(self, inputs: dict[str, Any], num_items_in_batch) -> list[dict[str, Any]]:
        count = rows_of(inputs)
        rows = self.memory.rows or count
        if num_items_in_batch is None or rows >= count:
            return [inputs]
        return [{name: value[at : at + rows] for name, value in inputs.items()} for at in range(0, count, rows)]


def rows_of(inputs: dict[str, Any]) -> int:
    """Of a micro-batch; rows packed into one sequence count as one."""
    return len(inputs["prompt_ids"] if "prompt_ids" in inputs else inputs["input_ids"])


def random_states() -> list[torch.Tensor]:
    """torch's, on the CPU and on every card."""
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_available() else ())]


def restore_random_states(states: list[torch.Tensor]) -> None:
    """What is done again draws what it drew."""
    torch.set_rng_state(states[0])
    if states[1:]:
        torch.cuda.set_rng_state_all(states[1:])
