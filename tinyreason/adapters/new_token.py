"""Trains one row of the embedding: the token that budget forcing puts where a thought would end too soon.

Why: continue-thinking token (arXiv 2506.11274): a word like "Wait" in place of `</think>` makes a model think on; a
token of its own, learnt by RL while the model stays as it is, does so better than the word.
Formula: the row of a reserved token starts as the mean of those of words like "Wait", and is all that is trained. The
LM head stays as it is, tied or not, so nothing has the model say the token of its own accord: rollouts
`budget_forcing` put it in, and its row gets its gradient through the tokens behind it.
Reserved is the first row behind the tokenizer's last token, else a token called reserved or unused, else the byte 255,
which no UTF-8 text has.
Saved: a LoRA of rank 1 on the embedding, whose A is 1 at that row and 0 elsewhere, and is not trained.
Learning rate: 1e-3, a guess: AdamW moves each number of the row by about as much a step. The sandbox, whose embedding
is narrow and its numbers large, wants 3e-2 (docs/results.md).
How it fails: nothing asks that the longer thought be of use; the row may become another `</think>`.
Example: `adapter: {kind: new_token}` with `rollouts: {kind: budget_forcing, budget: 1024}` and `trainer: grpo`
"""

import re
import warnings
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from tinyreason.adapters._adapter import TIED, Adapter
from tinyreason.errors import ModelError

PLAN = "budget_forcing"
"""The plan of rollouts that puts the token in."""
SPARE = re.compile(r"reserved|unused|place.?holder|dummy", re.IGNORECASE)
"""In the names of tokens that models have for later use."""
BYTE = ("ÿ", "<0xFF>")
"""What vocabularies of bytes call the byte 255."""


class NewToken(Adapter):
    """Trains the embedding of one reserved token."""

    sandbox_learning_rate: ClassVar[float | None] = 3e-2

    kind: Literal["new_token"] = "new_token"
    rank: Literal[1] = 1
    """One row is an update of rank 1."""
    targets: Literal["embedding"] = "embedding"
    """The input embedding alone; the LM head stays as it is, also where it is tied to it."""
    token: str | None = Field(None, min_length=1)
    """Whose row is trained, one that no text has; null = one that the model has in reserve."""
    words: tuple[Annotated[str, Field(min_length=1)], ...] = Field(("Wait", "wait", "Hmm", "hmm"), min_length=1)
    """The row starts as the mean of theirs, with and without a space before; those of several tokens are left out."""

    @property
    def default_learning_rate(self) -> float:
        return 1e-3

    def check(self, run, path: str) -> None:
        super().check(run, path)
        if run.rollouts is None or run.rollouts.kind != PLAN:
            raise ValueError(
                f"{path} new_token learns only from rollouts that put its token in; type "
                f"'rollouts={{kind: {PLAN}, budget: TOKENS}}' with trainer grpo"
            )
        if run.warmup:
            raise ValueError(f"{path} new_token is never read in a warm-up, and learns nothing there; leave warmup out")

    def check_model(self, skeleton, tokenizer: Any = None) -> None:
        super().check_model(skeleton, tokenizer)
        self.reserved_row(tokenizer, skeleton.get_input_embeddings().num_embeddings)

    def layers_of_shape(
        self, linear: dict[str, tuple[int, int]], embedding: tuple[int, int]
    ) -> dict[str, tuple[int, int]]:
        return {"embed_tokens": embedding}

    def layers(self, model) -> dict[str, tuple[int, int]]:
        layer = model.get_input_embeddings()
        name = next(name for name, module in model.named_modules() if module is layer)
        return {name: (layer.num_embeddings, layer.embedding_dim)}

    def trained_parameters(self, layers: dict[str, tuple[int, int]]) -> int:
        return sum(width for _, width in layers.values())

    def frozen_parameters(self, layers: dict[str, tuple[int, int]]) -> int:
        return sum(2 * rows + width for rows, width in layers.values())  # A, and the start as the reference

    def peft_config(self, targets: list[str]):
        from peft import LoraConfig

        return LoraConfig(r=1, lora_alpha=1, target_modules=targets, task_type="CAUSAL_LM")

    def attach(self, model, seed: int, tokenizer: Any = None):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=TIED)
            return super().attach(model, seed, tokenizer)

    def prepare(self, adapted, tokenizer: Any) -> None:
        import torch

        from tinyreason.adapters._layers import Fixed

        layer = adapted.get_input_embeddings()
        adapted.add_adapter("ref", adapted.peft_config["default"])
        weight = layer.base_layer.weight.detach()
        row = self.reserved_row(tokenizer, len(weight))
        mean = weight[self.rows_to_start_from(tokenizer)].float().mean(dim=0)
        for name in ("default", "ref"):
            one = torch.zeros_like(weight[:, :1].T, dtype=torch.float32)
            one[0, row] = 1
            layer.lora_embedding_A[name] = Fixed(one)
            layer.lora_embedding_B[name].data = (mean - weight[row].float())[:, None].contiguous()

    def reserved_row(self, tokenizer, rows: int) -> int:
        """Returns the number of the token, of a model with so many embeddings. Errors: `ModelError` for none."""
        vocabulary = tokenizer.get_vocab()
        if self.token is not None:
            if vocabulary.get(self.token, rows) >= rows:
                raise ModelError(f"the model has no token '{self.token}'; give adapter.token one of its vocabulary.")
            return vocabulary[self.token]
        behind = max(vocabulary.values()) + 1
        if behind < rows:
            return behind
        spare = [vocabulary[name] for name in vocabulary if name.startswith("<") and SPARE.search(name)]
        spare = sorted(spare) or [vocabulary[name] for name in BYTE if is_a_byte(tokenizer, name)]
        spare = [id for id in spare if id < rows]
        if not spare:
            raise ModelError(
                "the tokenizer leaves no row of the model's embedding unused; name a token that no text of yours has, "
                "as adapter.token='<|name|>'."
            )
        return spare[0]

    def rows_to_start_from(self, tokenizer) -> list[int]:
        """Returns the tokens whose rows the new one starts as the mean of."""
        forms = [form for word in self.words for form in (word, f" {word}")]
        pieces = [tokenizer(form, add_special_tokens=False)["input_ids"] for form in forms]
        whole = sorted({ids[0] for ids in pieces if len(ids) == 1})
        return whole or pieces[0]

    def save(self, model, folder: Path) -> None:
        model.save_pretrained(folder, selected_adapters=["default"], save_embedding_layers=False)


def is_a_byte(tokenizer, name: str) -> bool:
    """Returns whether the tokenizer knows this token, and it is the byte, not the letter that it is written as."""
    id = tokenizer.get_vocab().get(name)
    return id is not None and tokenizer.decode([id]) == "\ufffd"
