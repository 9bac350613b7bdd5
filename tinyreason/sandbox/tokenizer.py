"""Builds the sandbox's tokenizer: byte-level BPE, so any text round-trips, with every digit a token of its own."""

import itertools
import random

from tinyreason.sandbox import oracle, tasks

VOCABULARY = 512
PAD, END, SYSTEM, USER, ASSISTANT = "<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' }}"
    "{% generation %}{{ message['content'] + '<|end|>' }}{% endgeneration %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def _texts():
    """Yields what the merges are learned from: every kind of text the sandbox speaks."""
    rng = random.Random(0)
    for family in tasks.FAMILIES:
        for problem in itertools.islice(tasks.generate(family, "train", 0), 2000):
            attempt = oracle.attempt(problem, rng)
            yield from (problem.text, oracle.rambling(problem), oracle.hasty(problem, rng))
            yield from (oracle.critique_request(attempt), oracle.worked_critique(attempt))


def build_tokenizer():
    """Builds the tokenizer from nothing, a `transformers.PreTrainedTokenizerFast`."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\n+|\\boxed\{| ?\p{L}+|\p{N}|[^\s\p{L}\p{N}]|\s"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    chat = [PAD, END, SYSTEM, USER, ASSISTANT]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - 2,
        special_tokens=chat,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(), trainer)
    tokenizer.add_tokens([AddedToken(tag, normalized=False) for tag in (oracle.THINK, oracle.END_THINK)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=2048,
        padding_side="left",
    )
