"""Asks a model on this machine."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tinyreason.teachers.request import Answer, Work
from tinyreason.teachers.teacher import Teacher


class Local(Teacher):
    """Samples a transformers model, an adapter or the sandbox's base.

    Why: no key, no cost, and nothing leaves the machine. The same class samples the attempts.

    Reward hacking: a small model agrees with any attempt it is shown; the filter that holds its verdict against the
    grader then keeps the lucky half, whose reasons may be incorrect.

    Example: `teacher: {kind: local, model: Qwen/Qwen2.5-7B-Instruct}`.
    """

    kind: Literal["local"] = "local"
    decides: ClassVar[tuple[str, ...]] = ("model", "temperature", "max_tokens", "seed")
    model: str
    """`sandbox`, a model folder, a hub id, or the folder of an adapter or of a run."""
    temperature: float = Field(1.0, ge=0)
    """Temperature of its completions; 0 = greedy."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Tokens of the longest completion; null = 1,024, of the sandbox 160."""
    batch_size: int = Field(32, ge=1)
    """Completions sampled at once; as many as the memory holds."""
    seed: int = Field(0, ge=0)
    """Seed of what it samples."""

    def answer(self, work: Work) -> None:
        for request, text, tokens_in, tokens_out in work.sample(self, work.requests):
            work.deliver(Answer(request.id, text, tokens_in, tokens_out, cost=0.0))
