"""What a set is built from: an attempt at a problem, a request to a teacher, and the teacher's answer."""

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
    """the model, file or oracle it comes from"""
    correct: bool
    """judged against the gold answer"""


@dataclass(frozen=True)
class Request:
    """One question to a teacher."""

    id: str
    """SHA-256 of the messages, the draw and what of the teacher decides its answer: the key of the cache"""
    example: Example
    messages: tuple[dict[str, str], ...]
    attempt: Attempt | None = None
    """what is to be criticised; None where a solution is asked for"""


@dataclass(frozen=True)
class Answer:
    """What came back, a line of the journal."""

    request_sha256: str
    text: str | None
    """None = there was no answer, for the reason in `fault`; such a line is not kept"""
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: float | None = None
    """in the currency of the prices; None = not known"""
    possible_cost: float = 0.0
    """most that broken replies before this one may have cost besides"""
    fault: str = ""


@dataclass(frozen=True)
class Work:
    """What a teacher is given to do."""

    requests: list[Request]
    deliver: Callable[[Answer], None]
    """to be called with each answer as soon as it is there"""
    paid: float = 0.0
    """what earlier answers of the same set cost, or may have cost"""
    draw: Callable | None = None
    """samples a model of this machine, `draw.draw_replies`"""


def request_id(messages: tuple[dict[str, str], ...], draw: int, settings: dict[str, Any]) -> str:
    """The same for the same question to the same teacher; `draw` tells apart the times it is asked."""
    text = json.dumps([messages, draw, settings], ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
