"""Completions of a model, each sampled with random numbers of its own, so that none depends on its neighbours."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tinyreason import processes
from tinyreason.algorithms.rollouts import ThoughtBudget
from tinyreason.errors import NotFinite
from tinyreason.example import Example
from tinyreason.inference.engines import EngineName
from tinyreason.inference.forcing import forcing_of
from tinyreason.models.chat_template import end_tokens, render
from tinyreason.models.load import free_memory, is_out_of_memory
from tinyreason.prompts import USUAL_PROMPT_TOKENS, chat_messages
from tinyreason.tensors import Tensor

Ask = tuple[Example, int]
"""A problem, and which of its samples is asked for."""


@dataclass(frozen=True)
class Sampling:
    """How completions are sampled; the same for both sides of a comparison."""

    samples: int
    temperature: float
    """0 = greedy."""
    max_completion_tokens: int
    batch_size: int
    prompt: str
    seed: int
    top_p: float = 1.0
    """The smallest set of tokens with this much of the probability is sampled from."""
    template: Literal["chat", "none"] = "chat"
    """The tokenizer's chat template, or the bare text of the problem."""
    template_options: dict[str, Any] = field(default_factory=dict)
    """What the chat template is rendered with."""
    engine: EngineName = "auto"
    """What drives the model."""
    keeps_certainty: bool = False
    """Whether each completion comes with how certain the model was of its tokens."""
    thought_budget: ThoughtBudget | None = None
    """When thoughts continue that would end; None = never."""
    server: Any = None
    """The `ServedModel` that samples instead of this process."""


@dataclass(frozen=True)
class SampledCompletion:
    """The completion of the ask number `row`."""

    row: int
    text: str
    tokens: int
    """Count of its tokens, the end token included."""
    truncated: bool
    """Whether the token limit ended it."""
    certainty: float | None = None
    """Mean over its tokens of how far what they were sampled from is from uniform, in nats; None where not kept."""


@dataclass
class BatchRoom:
    """How many tokens, prompts included, fitted at once after the memory was too small for more."""

    tokens: int | None = None
    """None = so far the memory was never too small."""

    def rows(self, sampling: Sampling, longest_prompt: int) -> int:
        """Returns how many rows of this length make a batch.

        A batch of `batch_size` rows has room for prompts of the usual size; longer ones share it, fewer at a time.
        """
        longest = longest_prompt + sampling.max_completion_tokens
        usual = sampling.batch_size * (USUAL_PROMPT_TOKENS + sampling.max_completion_tokens)
        return max(1, min(sampling.batch_size, min(usual, self.tokens or usual) // longest))


def sample_completions(
    model,
    tokenizer,
    examples: list[Example],
    sampling: Sampling,
    advance: Callable[[int], None],
    room: BatchRoom | None = None,
):
    """Returns (texts, tokens, truncated), each of length problems × samples; `advance(n)` is told of each n sampled."""
    asks = [(example, sample) for example in examples for sample in range(sampling.samples)]
    completions: list[SampledCompletion | None] = [None] * len(asks)
    for batch in sample_batches(model, tokenizer, asks, sampling, room):
        for completion in batch:
            completions[completion.row] = completion
        advance(len(batch))
    return [c.text for c in completions], [c.tokens for c in completions], [c.truncated for c in completions]


def sample_batches(
    model, tokenizer, asks: list[Ask], sampling: Sampling, room: BatchRoom | None = None
) -> Iterator[list[SampledCompletion]]:
    """Yields the completions of all asks, a batch at a time; leaves torch's random state as it was.

    Prompts of like length are completed together, the longest first, as a batch is padded to its longest. `room`
    remembers what fitted after the memory was too small: give it again, and nothing larger is tried again. Several
    processes deal the asks out; the last batch that each yields is what the others have sampled. A server is asked all
    at once, and each of its answers is a batch.
    """
    room = room or BatchRoom()
    ends, forcing = end_tokens(model, tokenizer), forcing_of(model, tokenizer, sampling.thought_budget)
    ids_of = prompt_ids(tokenizer, [example for example, _ in asks], sampling)
    if sampling.server:
        asked = [server_ask(ids, key, sampling) for ids, key in zip(ids_of, seeds_of(asks, sampling), strict=True)]
        for row, answer in sampling.server.completions(model, asked):
            yield [read_completion(tokenizer, row, answer.ids, ends)]
        return
    mine = processes.dealt(sorted(range(len(asks)), key=lambda row: -len(ids_of[row])))
    was_training, sampled = model.training, []
    model.eval()
    try:
        for places in batches([len(ids_of[row]) for row in mine], sampling, room):
            rows = [mine[place] for place in places]
            prompts, its_asks = [ids_of[n] for n in rows], [asks[n] for n in rows]
            found = completion_ids(model, prompts, its_asks, sampling, ends, room, forcing)
            batch = [
                replace(read_completion(tokenizer, n, ids, ends), certainty=certainty)
                for n, (ids, certainty) in zip(rows, found, strict=True)
            ]
            sampled += batch
            yield batch
        if by_others := [one for part in processes.others(processes.gather(sampled)) for one in part]:
            yield by_others
    finally:
        model.train(was_training)


def completion_ids(
    model,
    prompts: list[list[int]],
    asks: list[Ask],
    sampling: Sampling,
    ends: set[int],
    room: BatchRoom,
    forcing: Any = None,
) -> list[tuple[list[int], float | None]]:
    """Returns (token ids, certainty) of one batch's completions; where the memory is too small, in two halves.

    The certainty is None where `sampling` does not keep it; `forcing` is the `Forcing` of the model, or None.
    """
    from tinyreason.inference.engines import make_engine
    from tinyreason.inference.engines.loop import roll_out

    try:
        engine = make_engine(model, sampling.engine, len(prompts))
        kept, rule = sampling.keeps_certainty, token_rule(sampling)
        numbers = uniforms(asks, sampling)
        found = roll_out(engine, prompts, numbers, rule, ends, keeps_certainty=kept, forcing=forcing)
        if not found.is_finite:
            raise NotFinite(
                "the model's logits are not finite (nan or infinity), so its completions mean nothing; likely its "
                "weights grew too large for the number format: lower train.learning_rate, or type model.dtype=float32."
            )
        return list(zip(found.ids, found.certainties if kept else [None] * len(prompts), strict=True))
    except RuntimeError as error:
        if len(prompts) == 1 or not is_out_of_memory(error):
            raise
    free_memory()
    half = len(prompts) // 2
    room.tokens = half * (max(map(len, prompts)) + sampling.max_completion_tokens)
    halves = ((prompts[part], asks[part]) for part in (slice(half), slice(half, None)))
    return [row for some in halves for row in completion_ids(model, *some, sampling, ends, room, forcing)]


def uniforms(asks: list[Ask], sampling: Sampling) -> Tensor:
    """Returns (B, T) random numbers, each row's own: from the seed, the problem's id and the sample's number.

    So a completion is the same in any batch and any order (up to the rounding of the logits), and two models compared
    are given the same luck.
    """
    from tinyreason.inference.engines.tokens import uniforms_of

    return uniforms_of(seeds_of(asks, sampling), sampling.max_completion_tokens)


def seeds_of(asks: list[Ask], sampling: Sampling) -> list[int]:
    """Returns what each row's random numbers follow from."""
    keys = [f"{sampling.seed}/{sample}/{example.id}" for example, sample in asks]
    return [int.from_bytes(hashlib.sha256(key.encode()).digest()) for key in keys]


def server_ask(prompt: list[int], seed: int, sampling: Sampling):
    """Returns what a server is asked for one row."""
    from tinyreason.inference.engines.vllm_server import Asked

    return Asked(prompt, seed, sampling.max_completion_tokens, float(sampling.temperature), sampling.top_p)


def token_rule(sampling: Sampling):
    """Returns the `TokenRule` by which tokens are sampled."""
    from transformers import TopPLogitsWarper

    from tinyreason.inference.engines.tokens import TokenRule

    return TokenRule(float(sampling.temperature), [TopPLogitsWarper(sampling.top_p)] if sampling.top_p < 1 else [])


def prompt_ids(tokenizer, examples: list[Example], sampling: Sampling) -> list[list[int]]:
    """Returns the token ids of each prompt."""
    texts = prompt_texts(tokenizer, examples, sampling)
    return tokenizer(texts, add_special_tokens=sampling.template == "none")["input_ids"]


def prompt_texts(tokenizer, examples: list[Example], sampling: Sampling) -> list[str]:
    """Returns what the model reads: the messages in the chat template, or their texts alone."""
    chats = [chat_messages(example, sampling.prompt) for example in examples]
    if sampling.template == "none":
        return ["\n".join(message["content"] for message in chat) for chat in chats]
    return render(tokenizer, chats, sampling.template_options, [example.tools for example in examples])


def read_completion(tokenizer, row: int, ids: list[int], ends: set[int]) -> SampledCompletion:
    """Returns the text before the first end token."""
    end = next((place for place, token in enumerate(ids) if token in ends), None)
    kept = ids if end is None else ids[:end]
    text = tokenizer.decode(kept, skip_special_tokens=False)
    return SampledCompletion(row, text, len(kept) + (end is not None), end is None)


def batches(sizes: list[int], sampling: Sampling, room: BatchRoom) -> Iterator[list[int]]:
    """Yields row numbers of prompts of these sizes in tokens, the longest first, long sequences in smaller batches."""
    left = sorted(range(len(sizes)), key=lambda row: -sizes[row])
    while left:
        count = room.rows(sampling, sizes[left[0]])
        yield left[:count]
        left = left[count:]
