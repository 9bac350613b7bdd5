"""Makes the rows of supervised fine-tuning: what the model reads, and on which of its tokens the loss is. No torch."""

from dataclasses import dataclass
from itertools import chain
from math import ceil, nan
from statistics import median
from typing import Any

from tinyreason.config.run_config import RunConfig
from tinyreason.errors import DataError
from tinyreason.example import Example
from tinyreason.grading.thought import as_written
from tinyreason.models.chat_template import TurnsRefused, fitting, last_token, render, with_tools
from tinyreason.prompts import chat_messages

IGNORED = -100
"""Label of a token that no loss is on."""

Row = dict[str, list[Any]]
"""`input_ids`, `labels` and `weights`, each (T,); for the loss `topr` also `mu_logp`, one number."""


@dataclass(frozen=True)
class Lengths:
    """What the rows look like before training."""

    rows: int
    median_tokens: int
    longest_tokens: int
    left_out: int
    of: int
    """How many rows there are, those left out included."""
    limit: int
    limit_is: str

    def __str__(self) -> str:
        text = f"{self.rows:,} rows, {self.median_tokens} tokens in the middle, {self.longest_tokens} at most"
        return text + (f"; {self.left_out_in_words} left out" if self.left_out else "")

    @property
    def left_out_in_words(self) -> str:
        """How many rows are longer than what limit."""
        return f"{self.left_out:,} longer than {self.limit} tokens ({self.limit_is})"


def context_of(model_config: Any) -> int | None:
    """Returns how many tokens the model reads at most, by its config, an object or a dict; None where it says none."""
    if isinstance(model_config, dict):
        inside = model_config.get("text_config")
        values = model_config | (inside if isinstance(inside, dict) else {})
        return values.get("max_position_embeddings")
    return getattr(model_config.get_text_config(), "max_position_embeddings", None)


def context_for(config: RunConfig, model_config: Any) -> int | None:
    """Returns the context that a run's rows have to fit; None in a dry run, whose data are of another model."""
    is_dry_run = config.model.is_built_in and not config.is_offline
    return None if is_dry_run else context_of(model_config)


def tokenised(
    config: RunConfig, tokenizer, examples: list[Example], context: int | None = None
) -> tuple[list[Row], Lengths]:
    """Returns the rows to train on, and their lengths; those longer than the limit or the context are left out.

    Errors: `DataError` where no row fits.
    """
    limit, limit_is = row_limit(config, context)
    rows = list(chain.from_iterable(rows_of(config, tokenizer, example) for example in examples))
    kept = [row for row in rows if len(row["input_ids"]) <= limit]
    if not kept:
        way = "raise it" if limit == config.train.token_limit else "take another model, or shorter rows"
        raise DataError(f"all {len(rows):,} rows are longer than {limit_is}={limit}; {way}.")
    sizes = [len(row["input_ids"]) for row in kept]
    counts = (len(kept), round(median(sizes)), max(sizes), len(rows) - len(kept), len(rows))
    return kept, Lengths(*counts, limit, limit_is)


def row_limit(config: RunConfig, context: int | None) -> tuple[int, str]:
    """Returns how many tokens a row may have, and what says so."""
    limit = config.train.token_limit
    if context is not None and context < limit:
        return context, "the model's context"
    return limit, f"train.{config.train.tokens_option}"


def prompt_sizes(config: RunConfig, tokenizer, examples: list[Example]) -> list[int]:
    """Returns the tokens of each example's prompt, chat template included."""
    return [len(encoded(tokenizer, prompt_of(config, tokenizer, example))) for example in examples]


def prompt_of(config: RunConfig, tokenizer, example: Example) -> str:
    """Returns what the model reads before it completes. Errors: `DataError` for turns that its template refuses."""
    try:
        chat, options = chat_messages(example, config.prompt), config.template_options
        (prompt,) = render(tokenizer, [chat], with_tools(tokenizer, options, example.tools))
    except TurnsRefused as error:
        raise DataError(
            f"the chat template of model.name={config.model.name} refuses problem {example.id}, whose turns are by "
            f"{', '.join(message['role'] for message in example.messages)}: {error.reason}"
        ) from None
    return prompt


def rows_of(config: RunConfig, tokenizer, example: Example) -> list[Row]:
    """Returns the rows of one example: one, or with every turn trained on one a turn where a template needs that.

    Such a template writes an earlier turn otherwise than it was sampled, as those that leave out its reasoning do.
    """
    options = with_tools(tokenizer, config.template_options, example.tools)
    (chat,) = fitting(tokenizer, [chat_messages(example, config.prompt)], options)
    prompt = prompt_of(config, tokenizer, example)
    last = completion_part(tokenizer, example, prompt, example.completion, config.train.truncate_ratio)
    if not example.meta.get("trains_every_turn"):
        sampled = {"mu_logp": [example.meta.get("mu_logp", nan)]} if config.train.loss == "topr" else {}
        return [joined([(encoded(tokenizer, prompt), None), last]) | sampled]
    places = answered_places(chat)
    stretches = earlier_turns(tokenizer, chat, places, prompt, options)
    if stretches is not None:
        parts = []
        for text, is_trained in stretches:
            ids = encoded(tokenizer, text)
            kept = ceil(config.train.truncate_ratio * len(ids)) if is_trained else 0
            parts.append((ids, [example.weight] * kept if is_trained else None))
        return [joined([*parts, last])]
    rows = []
    for place in places:
        if text := chat[place]["content"].strip():
            (asked,) = render(tokenizer, [chat[:place]], options)
            plain = Example(example.id, example.messages, "", text, weight=example.weight)
            part = completion_part(tokenizer, plain, asked, text, config.train.truncate_ratio)
            rows.append(joined([(encoded(tokenizer, asked), None), part]))
    return [*rows, joined([(encoded(tokenizer, prompt), None), last])]


def answered_places(chat: list[dict[str, Any]]) -> list[int]:
    """Returns the places of the assistant's turns that answer somebody."""
    return [
        place
        for place in range(1, len(chat))
        if chat[place]["role"] == "assistant" and chat[place - 1]["role"] in ("user", "tool")
    ]


def earlier_turns(
    tokenizer, chat: list[dict[str, Any]], places: list[int], prompt: str, options: dict[str, Any]
) -> list[tuple[str, bool]] | None:
    """Returns the prompt in stretches (text, whether the assistant wrote it, its end token included), in order.

    None where the template does not write an earlier turn as the model would have written it.
    """
    end, stretches, at = tokenizer.decode([last_token(tokenizer)]), [], 0
    for place in places:
        (asked,) = render(tokenizer, [chat[:place]], options)
        told = tokenizer.apply_chat_template(chat[: place + 1], tokenize=False, **options)
        stop = prompt.find(end, len(asked))
        if stop < 0 or not prompt.startswith(asked) or not told.startswith(prompt[: stop + len(end)]):
            return None
        stretches += [(prompt[at : len(asked)], False), (prompt[len(asked) : stop + len(end)], True)]
        at = stop + len(end)
    return [*stretches, (prompt[at:], False)]


def completion_part(
    tokenizer, example: Example, prompt: str, completion: str, truncate_ratio: float
) -> tuple[list[int], list[float]]:
    """Returns (ids, weights) of a completion and its end, as much of it as is trained on."""
    whole = completion
    completion = as_written(completion, prompt, str(tokenizer.chat_template))
    found = tokenizer(completion, add_special_tokens=False, return_offsets_mapping=bool(example.spans))
    ids = [*found["input_ids"], last_token(tokenizer)]
    weights = [example.weight] * len(ids)
    for place, (first, _) in enumerate(found.get("offset_mapping", ())):
        weights[place] *= span_weight(example, first + len(whole) - len(completion))
    kept = ceil(truncate_ratio * len(ids)) if truncate_ratio < 1 else len(ids)
    return ids[:kept], weights[:kept]


def span_weight(example: Example, place: int) -> float:
    """Returns what a character of the completion counts, by the last span that holds it; 1 outside them all."""
    return next((weight for start, end, weight in reversed(example.spans) if start <= place < end), 1.0)


def encoded(tokenizer, text: str) -> list[int]:
    """Returns the token ids of a text as it stands."""
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def joined(parts: list[tuple[list[int], list[float] | None]]) -> Row:
    """Returns the parts as one row; of (ids, weights) as many tokens are trained on as there are weights."""
    row: Row = {"input_ids": [], "labels": [], "weights": []}
    for ids, weights in parts:
        trained = ids[: len(weights or ())]
        rest = len(ids) - len(trained)
        row["input_ids"] += ids
        row["labels"] += trained + [IGNORED] * rest
        row["weights"] += [*(weights or ()), *[0.0] * rest]
    return row
