"""Asks any OpenAI-compatible chat endpoint."""

import os
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from tinyreason.errors import ConfigError, TeacherError
from tinyreason.teachers.request import Request, Work
from tinyreason.teachers.teacher import Teacher

TOKENS_A_MESSAGE = 16
"""More than any chat template puts around one."""


class Openai(Teacher):
    """Asks a chat model over HTTP, many requests at once, and pays for no answer twice.

    A fault of the server (HTTP 5xx, a lost connection, a body that is malformed or too large) is tried again after a
    growing wait; 429 is waited out for as long as `Retry-After` says. The key comes from the environment, and is
    written nowhere. Where the endpoint is does not count among what decides an answer; the model's name does.

    Why: One-Shot-CFT (arXiv 2506.03295) has its critiques from seven such models.

    Reward hacking: a teacher agrees with attempts that look sure of themselves; hold its verdict against the grader.
    It may also have read the test set.

    Example: `teacher: {kind: openai, model: gpt-4.1-mini, base_url: "https://api.openai.com/v1"}`.
    """

    kind: Literal["openai"] = "openai"
    reads_instructions: ClassVar[bool] = True
    may_cost_money: ClassVar[bool] = True
    decides: ClassVar[tuple[str, ...]] = ("model", "temperature", "max_tokens")
    model: str = Field(min_length=1)
    """Model, as the endpoint calls it."""
    base_url: str = "https://api.openai.com/v1"
    """What stands before /chat/completions."""
    key_variable: str = "OPENAI_API_KEY"
    """Environment variable that holds the key."""
    concurrency: int = Field(16, ge=1)
    """Requests on their way at once."""
    temperature: Annotated[float, Field(ge=0)] | None = None
    """Temperature of its answers; null = the endpoint's own."""
    max_tokens: int = Field(2048, ge=1)
    """Tokens of the longest answer, a reasoning model's thoughts included."""
    price_per_million_input_tokens: Annotated[float, Field(ge=0)] | None = None
    """Price, in any currency; null = not known."""
    price_per_million_output_tokens: Annotated[float, Field(ge=0)] | None = None
    """Price, in the same currency; null = not known."""
    max_cost: Annotated[float, Field(ge=0)] | None = None
    """Most that a set may cost, over all runs; no request is sent that might exceed it."""
    timeout_s: float = Field(300, gt=0)
    """Longest wait for one answer, in seconds."""
    retries: int = Field(10, ge=0)
    """Times a request is sent again after a fault; 429 does not count."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not (self.key_variable.isidentifier() and self.key_variable.isascii()):  # it may be the key itself
            raise ConfigError("--key-variable is the name of an environment variable, such as OPENAI_API_KEY")
        url = urlsplit(self.base_url)
        if url.username or url.password:
            raise ConfigError("--base-url holds a user or a password; put the key into an environment variable")
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ConfigError(
                f"--base-url {self.base_url} is not an address; type one such as https://api.openai.com/v1"
            )
        prices = (self.price_per_million_input_tokens, self.price_per_million_output_tokens)
        if self.max_cost is not None and None in prices:
            raise ConfigError(
                "--max-cost needs the prices per million tokens; type --price-in and --price-out as on the price list"
            )
        return self

    @property
    def url(self) -> str:
        """Returns where the requests go."""
        return self.base_url.rstrip("/").removesuffix("/chat/completions") + "/chat/completions"

    def key(self) -> str:
        """Reads the key from the environment. Errors: `TeacherError` where it is not set."""
        key = os.environ.get(self.key_variable, "").strip()
        if not key:
            raise TeacherError(
                f"the key is read from the environment variable {self.key_variable}, which is not set; type: "
                f"export {self.key_variable}=… (any word for a server that asks for none)."
            )
        if not (key.isascii() and key.isprintable()):
            raise TeacherError(f"the environment variable {self.key_variable} holds characters that no key has.")
        return key

    def check_ready(self) -> None:
        self.key()

    def answer(self, work: Work) -> None:
        import asyncio

        from tinyreason.teachers._wire import Wire

        asyncio.run(Wire(self, work).answer_all())

    def body(self, request: Request) -> dict:
        """Returns what is posted. OpenAI itself has renamed max_tokens, other servers have not."""
        is_openai = urlsplit(self.base_url).hostname == "api.openai.com"
        most = {"max_completion_tokens" if is_openai else "max_tokens": self.max_tokens}
        warmth = {} if self.temperature is None else {"temperature": self.temperature}
        return {"model": self.model, "messages": list(request.messages), **most, **warmth}

    def cost(self, tokens_in: int, tokens_out: int) -> float | None:
        """Returns the cost of one answer; None where no prices are known."""
        if self.price_per_million_input_tokens is None or self.price_per_million_output_tokens is None:
            return None
        paid = tokens_in * self.price_per_million_input_tokens + tokens_out * self.price_per_million_output_tokens
        return paid / 1e6

    def most_it_can_cost(self, request: Request) -> float:
        """Returns the most that an answer can cost: a token is at least one byte."""
        size = sum(len(message["content"].encode()) + TOKENS_A_MESSAGE for message in request.messages)
        return self.cost(size, self.max_tokens) or 0.0
