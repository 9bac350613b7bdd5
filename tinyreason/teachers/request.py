"""Holds what a set is built from: an attempt at a problem, a request to a teacher, and the teacher's answer."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tinyreason.example import Example


@dataclass(frozen=True)
class Attempt:
    """Somebody's solution of a problem."""

    example: Example
    text: str
    by: str
    """The model, file or oracle it comes from."""
    correct: bool
    """Whether it agrees with the gold answer."""


@dataclass(frozen=True)
class Request:
    """One question to a teacher."""

    id: str
    """SHA-256 of the messages, the sample's number and what of the teacher decides its answer: the key of the cache."""
    example: Example
    messages: tuple[dict[str, str], ...]
    attempt: Attempt | None = None
    """What is to be criticised; None where a solution is asked for."""


@dataclass(frozen=True)
class Answer:
    """What came back, a line of the response cache."""

    request_sha256: str
    text: str | None
    """None = there was no answer, for the reason in `fault`; such a line is not kept."""
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: float | None = None
    """Cost in the currency of the prices; None = not known."""
    possible_cost: float = 0.0
    """Most that broken answers before this one may have cost besides."""
    fault: str = ""


@dataclass(frozen=True)
class Work:
    """What a teacher is given to do."""

    requests: list[Request]
    deliver: Callable[[Answer], None]
    """To be called with each answer as soon as it is there."""
    paid: float = 0.0
    """What earlier answers of the same set cost, or may have cost."""
    sample: Callable | None = None
    """Samples a model of this machine, as `local_sampling.sample_locally`."""


def request_id(messages: tuple[dict[str, str], ...], sample: int, settings: dict[str, Any]) -> str:
    """Returns the same id for the same question to the same teacher; `sample` tells apart the times it is asked."""
    text = json.dumps([messages, sample, settings], ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
