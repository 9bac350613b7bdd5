"""Talk to a model: its answer comes word by word, the reasoning apart from it."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from tinyreason.algorithms.rollouts import ThoughtBudget
from tinyreason.example import Example
from tinyreason.grading.thought import CHANNEL, CLOSE, FINAL, OPEN
from tinyreason.inference.forcing import forcing_of
from tinyreason.inference.model_reference import ModelReference
from tinyreason.models.chat_template import end_tokens, render
from tinyreason.models.load import max_completion_tokens_of
from tinyreason.prompts import chat_messages

ENDS = {OPEN: CLOSE, CHANNEL: FINAL}
"""What begins reasoning → what ends it."""
Tell = Callable[[str, bool], None]
"""(text, whether it is reasoning)."""
Message = dict[str, str]


class Reasoning:
    """Tells reasoning from the answer while a completion comes in pieces, in either of the notations of models."""

    def __init__(self, tell: Tell, starts_inside: bool = False):
        self.tell, self.held = tell, ""
        self.end = CLOSE if starts_inside else None
        """What ends the reasoning; None outside it."""

    def add(self, piece: str, is_last: bool = False) -> None:
        """Takes the next piece; what may be the beginning of a tag is held back until it is known."""
        text, self.held = self.held + piece, ""
        while text:
            tags = (self.end,) if self.end else tuple(ENDS)
            at, tag = min((text.find(tag) % (len(text) + 1), tag) for tag in tags)
            before, found, text = text[:at], text[at : at + len(tag)], text[at + len(tag) :]
            if not found and not is_last:
                keep = max(held_back(before, tag) for tag in tags)
                before, self.held = before[: len(before) - keep], before[len(before) - keep :]
            if self.end:
                self._tell(before + found, is_reasoning=True)
                self.end = None if found else self.end
            else:
                self._tell(before, is_reasoning=False)
                self.end, text = ENDS.get(found), found + text  # a channel is known by its name behind the tag

    def _tell(self, text: str, is_reasoning: bool) -> None:
        if text:
            self.tell(text, is_reasoning)


def held_back(text: str, tag: str) -> int:
    """Returns how many characters at the end of a text may begin the tag."""
    return next((n for n in range(min(len(tag) - 1, len(text)), 0, -1) if tag.startswith(text[-n:])), 0)


@dataclass
class Talker:
    """A loaded model that answers, asked as its run's evaluation asked it; a model without a run greedily."""

    model: Any
    tokenizer: Any
    has_adapter: bool
    prompt: str
    temperature: float
    max_completion_tokens: int
    template_options: dict[str, Any]
    thought_budget: ThoughtBudget | None = None

    @staticmethod
    def load(
        reference: ModelReference,
        temperature: float | None,
        max_completion_tokens: int | None,
        template_options: dict[str, Any] | None = None,
        thinking_budget: int | None = None,
    ) -> "Talker":
        """Loads a model; None = as the run's evaluation asked, else greedy and as long as is usual for the model."""
        model, tokenizer = reference.load()
        run = reference.run
        prompt, usual_temperature = (run.prompt, run.evaluation.temperature) if run else ("plain", 0.0)
        longest = run.evaluation.max_completion_tokens if run else max_completion_tokens_of(reference.model.name)
        return Talker(
            model,
            tokenizer,
            reference.adapter is not None,
            prompt,
            usual_temperature if temperature is None else temperature,
            max_completion_tokens or longest,
            template_options or (run.template_options if run else {}),
            reference.thought_budget(thinking_budget),
        )

    def answer(self, messages: list[Message], tell: Tell, is_base: bool = False) -> Message:
        """Tells the answer to the last message piece by piece; returns it without its reasoning, as history.

        `is_base` = without the adapter.
        """
        import torch
        from transformers import TextStreamer

        from tinyreason.inference.engines import make_engine
        from tinyreason.inference.engines.loop import roll_out
        from tinyreason.inference.engines.tokens import TokenRule, uniforms_of

        chat = chat_messages(Example("", tuple(messages), ""), self.prompt)
        (prompt,) = render(self.tokenizer, [chat], self.template_options)
        answer: list[str] = []

        def heard(text: str, is_reasoning: bool) -> None:
            answer.append("" if is_reasoning else text)
            tell(text, is_reasoning)

        reasoning, ends = Reasoning(heard, prompt.rstrip().endswith(OPEN)), end_tokens(self.model, self.tokenizer)

        class Told(TextStreamer):
            """Passes words on as they are whole; the token that ends the completion is not a word."""

            def hear(self, tokens: list[int]) -> None:
                if tokens[0] not in ends:
                    self.put(torch.tensor(tokens))

            def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
                reasoning.add(text, is_last=stream_end)

        ids = self.tokenizer(prompt, add_special_tokens=False)["input_ids"]
        uniforms, rule = uniforms_of([None], self.max_completion_tokens), TokenRule(self.temperature)
        with self.model.disable_adapter() if is_base and self.has_adapter else nullcontext():
            streamer = Told(self.tokenizer, skip_special_tokens=False)
            forcing = forcing_of(self.model, self.tokenizer, self.thought_budget)
            engine = make_engine(self.model, "auto", rows=1)
            roll_out(engine, [ids], uniforms, rule, ends, tell=streamer.hear, forcing=forcing)
            streamer.end()
        return {"role": "assistant", "content": "".join(answer).strip()}
