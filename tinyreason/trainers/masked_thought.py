"""Replaces a share of the completion's tokens in what the model reads, while the loss stays on the true ones.

Why: Masked Thought (arXiv 2403.02178): a model that cannot rely on every earlier token has to look at the question.
Formula: each completion token of the input is replaced with probability min(r · t / (⌊T · w⌋ + 1), r) at step t of T,
the first is 0; r is `train.mask_rate`, w `train.mask_warmup`. Random numbers depend on the seed, the step and the row
of the step alone, so a resumed run masks the same tokens. The released settings are r = 0.4 with random tokens,
and 0.2 with a new mask token, in whose place the padding token stands here.
How it fails: on short completions few tokens are left to learn the form from.
"""

import hashlib
from typing import Any

import torch

from tinyreason.models.training_rows import IGNORED


def rate_at(step: int, steps: int, rate: float, warmup: float) -> float:
    """Returns the probability with which a token is replaced at a step, the first is 0."""
    return min(rate * step / (int(steps * warmup) + 1), rate)


def masked(
    inputs: dict[str, Any], rate: float, seed: int, step: int, first_row: int, vocabulary: int | None, pad_id: int
) -> dict[str, Any]:
    """Returns a micro-batch, (N, T) tensors, whose `input_ids` are replaced where a label is; labels stay.

    `first_row` is the place of its first row in the step. With a `vocabulary` other tokens are random ones of so many,
    else the padding token.
    """
    ids_N_T = inputs["input_ids"].clone()
    for place, (ids, labels) in enumerate(zip(ids_N_T, inputs["labels"], strict=True)):
        (trained,) = torch.where(labels != IGNORED)
        rng = generator(seed, step, first_row + place)
        is_replaced = torch.rand(len(trained), generator=rng) < rate
        others = torch.full((len(trained),), pad_id)
        if vocabulary:
            others = torch.randint(vocabulary, (len(trained),), generator=rng)
        ids[trained[is_replaced]] = others[is_replaced].to(ids)
    return inputs | {"input_ids": ids_N_T}


def generator(seed: int, step: int, row: int) -> torch.Generator:
    """Returns the random numbers of one row of one step."""
    digest = hashlib.sha256(f"masked thought/{seed}/{step}/{row}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
