"""Talk to a model: its reply comes word by word, the reasoning apart from the answer."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyreason.config.run_config import Model
from tinyreason.errors import FolderError
from tinyreason.example import Example
from tinyreason.inference.local_sampling import MAX_TOKENS, USUAL_MAX_TOKENS, base_of, is_adapter, load_with_adapter
from tinyreason.inference.model_reference import check_is_model
from tinyreason.models.load import end_tokens
from tinyreason.prompts import chat_messages
from tinyreason.runs.reader import read_run

OPEN, CLOSE = "<think>", "</think>"
Tell = Callable[[str, bool], None]
"""(text, whether it is reasoning)"""
Message = dict[str, str]


@dataclass(frozen=True)
class Partner:
    """Whom to talk to, and how it was asked in training."""

    model: Model
    adapter: Path | None
    prompt: str = "plain"
    temperature: float = 0.0
    max_completion_tokens: int = USUAL_MAX_TOKENS


def find_partner(word: str, trust_remote_code: bool) -> Partner:
    """A run folder (its base and adapter, asked as in its evaluation), an adapter folder, a model folder or name."""
    path, trust = Path(word), {"trust_remote_code": trust_remote_code}
    if (path / "config.yaml").is_file():
        return _of_run(path, trust)
    adapter = path if is_adapter(path) else None
    if not adapter:
        check_is_model(word)
    base = base_of(path) if adapter else word
    most = MAX_TOKENS.get(base, USUAL_MAX_TOKENS)
    return Partner(Model(name=base, **trust), adapter, max_completion_tokens=most)


def _of_run(folder: Path, trust: dict[str, bool]) -> Partner:
    if not is_adapter(folder / "adapter"):
        raise FolderError(f"{folder} has no adapter yet; wait for its first one, or talk to its base by name.")
    config = read_run(folder).config
    try:
        evaluation = config["evaluation"]
        return Partner(
            Model(**(config["model"] | trust)),
            folder / "adapter",
            config["prompt"],
            evaluation["temperature"],
            evaluation["max_completion_tokens"] or config["train"]["max_completion_tokens"],
        )
    except (KeyError, TypeError, ValueError):
        raise FolderError(f"{folder}/config.yaml is not one that a run writes; give {folder}/adapter.") from None


class Reasoning:
    """Tells reasoning, between <think> and </think>, from the answer while a reply comes in pieces."""

    def __init__(self, tell: Tell, starts_inside: bool = False):
        self.tell, self.is_inside, self.held = tell, starts_inside, ""

    def add(self, piece: str, is_last: bool = False) -> None:
        """The next piece; what may be the beginning of a tag is held back until it is known."""
        text, self.held = self.held + piece, ""
        while text:
            tag = CLOSE if self.is_inside else OPEN
            before, found, text = text.partition(tag)
            if not found and not is_last:
                keep = next((n for n in range(min(len(tag) - 1, len(before)), 0, -1) if tag.startswith(before[-n:])), 0)
                before, self.held = before[: len(before) - keep], before[len(before) - keep :]
            text_with_tag = before + found if self.is_inside else before
            if text_with_tag:
                self.tell(text_with_tag, self.is_inside)
            if found and not self.is_inside:
                self.tell(OPEN, True)
            self.is_inside ^= bool(found)


@dataclass
class Talker:
    """A loaded partner."""

    partner: Partner
    model: Any
    tokenizer: Any
    temperature: float
    max_completion_tokens: int

    @classmethod
    def load(cls, partner: Partner, temperature: float | None, max_completion_tokens: int | None) -> "Talker":
        """Loads the model; None = as the run's evaluation asked, else greedy."""
        model, tokenizer = load_with_adapter(partner.model, partner.adapter)
        return cls(
            partner,
            model,
            tokenizer,
            partner.temperature if temperature is None else temperature,
            max_completion_tokens or partner.max_completion_tokens,
        )

    def answer(self, messages: list[Message], tell: Tell, is_base: bool = False) -> Message:
        """The reply to the last message, told piece by piece; returned without its reasoning, as history.

        `is_base` = without the adapter.
        """
        import torch
        from transformers import GenerationConfig, TextStreamer

        chat = chat_messages(Example("", tuple(messages), ""), self.partner.prompt)
        prompt = self.tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
        answer: list[str] = []

        def heard(text: str, is_reasoning: bool) -> None:
            answer.append("" if is_reasoning else text)
            tell(text, is_reasoning)

        reasoning, ends = Reasoning(heard, prompt.rstrip().endswith(OPEN)), end_tokens(self.model, self.tokenizer)

        class Told(TextStreamer):
            """Passes words on as they are whole; the token that ends the reply is no word."""

            def put(self, value) -> None:
                if self.next_tokens_are_prompt or int(value[-1]) not in ends:
                    super().put(value)

            def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
                reasoning.add(text, is_last=stream_end)

        drawn = {"do_sample": True, "temperature": self.temperature, "top_k": 0} if self.temperature else {}
        generation = GenerationConfig(
            **drawn,
            max_new_tokens=self.max_completion_tokens,
            eos_token_id=sorted(ends),
            pad_token_id=self.tokenizer.pad_token_id,
        )
        inputs = self.tokenizer(prompt, add_special_tokens=False, return_tensors="pt").to(self.model.device)
        inputs.pop("token_type_ids", None)
        without = is_base and self.partner.adapter
        with self.model.disable_adapter() if without else nullcontext(), torch.inference_mode():
            streamer = Told(self.tokenizer, skip_prompt=True, skip_special_tokens=False)
            self.model.generate(**inputs, generation_config=generation, streamer=streamer)
        return {"role": "assistant", "content": "".join(answer).strip()}
