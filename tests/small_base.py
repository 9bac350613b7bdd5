"""Trains the sandbox's model on with all its weights, until it knows the forms of `small_worlds.py`.

A LoRA leaves the embeddings as they are, so the sandbox's own model cannot learn to write a tag of which it has never
seen the bytes. This one has read them. Of its answers in a form as many are guesses as its habits say, and of all in a
form as many lack a mark; what is left to learn is which of its own ways is paid. It serves measurements alone.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from tinyreason.sandbox import BASE, pretrain

OWN = 0.2
"""Share of rows in the sandbox's own forms, with its own habits, so that it forgets nothing."""
HASTY, SPOILT = 0.5, 0.4
"""Shares of the rows in a form that guess, and that lack a mark."""
MARK = re.compile(r"</?[a-z]+>|<<<<<<< SEARCH|=======|>>>>>>> REPLACE|\\boxed(?={)")
COURSE = pretrain.Course(
    (replace(pretrain.HABITS, steps=1200),), learning_rate=2e-3, decay=0.6, tokens_count_alike=True, seed=3
)


def write_base(folder: Path, worlds: Sequence[Iterator[dict]]) -> None:
    """Trains for about two minutes on one core, and saves model and tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(0)
    torch.set_num_threads(1)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(BASE), AutoTokenizer.from_pretrained(BASE)
    pretrain.study(model, tokenizer, COURSE, read=partial(rows, worlds))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def rows(worlds: Sequence[Iterator[dict]], phase: pretrain.PretrainingPhase, seed: int) -> Iterator[tuple[str, str]]:
    """Yields endless (message, answer) pairs: the sandbox's own, and by chance those of a world."""
    rng, own = random.Random(seed), pretrain.rows(phase, seed)
    while True:
        if rng.random() < OWN:
            yield next(own)
        else:
            row = next(rng.choice(worlds))
            text = row["hasty"] if rng.random() < HASTY else row["completion"]
            yield row["problem"], spoil(text, rng) if rng.random() < SPOILT else text


def spoil(text: str, rng: random.Random) -> str:
    """Returns a text without one of its marks."""
    found = rng.choice(list(MARK.finditer(text)))
    return text[: found.start()] + text[found.end() :]
