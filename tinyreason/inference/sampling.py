"""Completions of a model, each sampled with random numbers of its own, so that none depends on its neighbours."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from tinyreason.errors import NotFinite
from tinyreason.example import Example
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


@dataclass(frozen=True)
class SampledCompletion:
    """The completion of the ask number `row`."""

    row: int
    text: str
    tokens: int
    """Count of its tokens, the end token included."""
    truncated: bool
    """Whether the token limit ended it."""


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
    remembers what fitted after the memory was too small: give it again, and nothing larger is tried again.
    """
    room = room or BatchRoom()
    ends = end_tokens(model, tokenizer)
    ids_of = prompt_ids(tokenizer, [example for example, _ in asks], sampling)
    was_training = model.training
    model.eval()
    try:
        for rows in batches([len(ids) for ids in ids_of], sampling, room):
            prompts, its_asks = [ids_of[n] for n in rows], [asks[n] for n in rows]
            completions = completion_ids(model, tokenizer, prompts, its_asks, sampling, ends, room)
            yield [read_completion(tokenizer, n, ids, ends) for n, ids in zip(rows, completions, strict=True)]
    finally:
        model.train(was_training)


def completion_ids(
    model,
    tokenizer,
    prompts: list[list[int]],
    asks: list[Ask],
    sampling: Sampling,
    ends: set[int],
    room: BatchRoom,
):
    """Returns the token ids of one batch's completions; where the memory is too small, one half after the other."""
    import torch

    inputs = tokenizer.pad({"input_ids": prompts}, return_tensors="pt").to(model.device)
    size, check = inputs["input_ids"].shape[1], FiniteLogits()
    try:
        with torch.inference_mode():
            ids = model.generate(
                **inputs,
                generation_config=generation_config(tokenizer, sampling, ends),
                logits_processor=[check, *processors(asks, size, sampling)],
            )
        check.close()
        return ids[:, size:].tolist()
    except RuntimeError as error:
        if len(prompts) == 1 or not is_out_of_memory(error):
            raise
    free_memory()
    half = len(prompts) // 2
    room.tokens = half * (size + sampling.max_completion_tokens)
    halves = ((prompts[part], asks[part]) for part in (slice(half), slice(half, None)))
    return [ids for some in halves for ids in completion_ids(model, tokenizer, *some, sampling, ends, room)]


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


def generation_config(tokenizer, sampling: Sampling, ends: set[int]):
    """Returns a `GenerationConfig`; what it leaves open would come from the model's own, as a repetition penalty."""
    from transformers import GenerationConfig

    return GenerationConfig(
        do_sample=False,  # a processor samples
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        max_new_tokens=sampling.max_completion_tokens,
        eos_token_id=sorted(ends),
        pad_token_id=tokenizer.pad_token_id,
    )


def processors(asks: list[Ask], prompt_tokens: int, sampling: Sampling) -> list:
    """Returns what stands between the logits and the choice of a token."""
    if not sampling.temperature:
        return []
    from transformers import TemperatureLogitsWarper, TopPLogitsWarper

    warpers = [TemperatureLogitsWarper(float(sampling.temperature))]
    if sampling.top_p < 1:
        warpers.append(TopPLogitsWarper(sampling.top_p))
    return [*warpers, KeyedSampling(asks, prompt_tokens, sampling)]


class FiniteLogits:
    """Notes whether all logits were finite, without waiting for the device at each token; changes nothing."""

    def __init__(self):
        self.largest: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores_B_V: Tensor) -> Tensor:
        self.largest.append(scores_B_V.amax(dim=-1))
        return scores_B_V

    def close(self) -> None:
        """Raises `NotFinite` if a row's logits held nan or infinity: what is sampled from them means nothing."""
        import torch

        if not bool(torch.isfinite(torch.stack(self.largest)).all()):
            raise NotFinite(
                "the model's logits are not finite (nan or infinity), so its completions mean nothing; likely its "
                "weights grew too large for the number format: lower train.learning_rate, or type model.dtype=float32."
            )


class KeyedSampling:
    """Samples each row's tokens by inverting the distribution function at random numbers that are the row's own.

    They come from the seed, the problem's id and the sample's number, so a completion is the same in any batch and
    any order (up to the rounding of the logits), and two models compared are given the same luck.
    """

    def __init__(self, asks: list[Ask], prompt_tokens: int, sampling: Sampling):
        import numpy
        import torch

        self.prompt_tokens = prompt_tokens
        keys = [f"{sampling.seed}/{sample}/{example.id}" for example, sample in asks]
        seeds = [int.from_bytes(hashlib.sha256(key.encode()).digest()) for key in keys]
        rows = [numpy.random.default_rng(seed).random(sampling.max_completion_tokens) for seed in seeds]
        self.uniforms_B_T = torch.tensor(numpy.stack(rows))

    def __call__(self, input_ids: Tensor, scores_B_V: Tensor) -> Tensor:
        """Returns (B, V), 0 at the sampled token, -inf elsewhere."""
        import torch

        step = input_ids.shape[1] - self.prompt_tokens
        cumulative_B_V = scores_B_V.double().softmax(dim=-1).cumsum(dim=-1)
        aims_B_1 = self.uniforms_B_T[:, step, None].to(scores_B_V.device) * cumulative_B_V[:, -1:]
        sampled_B_1 = torch.searchsorted(cumulative_B_V, aims_B_1, right=True).clamp(max=scores_B_V.shape[1] - 1)
        return torch.full_like(scores_B_V, -torch.inf).scatter(1, sampled_B_1, 0.0)


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
