"""Holds the one record that everything shares: a problem and its gold answer."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Example:
    """One training or evaluation item."""

    id: str
    messages: tuple[dict[str, str], ...]
    """The problem as chat messages, `{"role", "content"}` each, before any prompt template."""
    answer: str
    """The gold answer as published: `#### 18`, `\\frac{4}{3}`, `14`."""
    completion: str | None = None
    """What SFT trains on, if the row has it."""
    meta: dict[str, Any] = field(default_factory=dict)
    weight: float = 1.0
    """How much the completion counts in the loss."""
    spans: tuple[tuple[int, int, float], ...] = ()
    """(start, end, weight): characters of the completion that count differently from the rest, 0 = not at all."""
    tools: tuple[dict[str, Any], ...] = ()
    """The tools that the model may call, as the chat template is told of them."""
    grader: str = "math"
    """What may make an answer correct, of `grading/graders/`; `meta["grader"]` has its options, as JSON holds them."""

    @property
    def problem(self) -> str:
        """Returns the text of the last message."""
        return self.messages[-1]["content"]

    @property
    def identity(self) -> str:
        """Returns what tells problems apart: the problem itself, or of a conversation every turn with its role."""
        if len(self.messages) == 1:
            return self.problem
        return "\n".join(f"<{message['role']}> {message['content']}" for message in self.messages)

    @property
    def rule(self) -> str:
        """Returns its grader with the options as JSON, `{"kind": "choice"}`; nothing for the usual one, `math`."""
        if self.grader == "math":
            return ""
        return json.dumps({"kind": self.grader} | self.meta.get("grader", {}), sort_keys=True)


def different(examples: Iterable[Example]) -> list[Example]:
    """Returns the first example of each problem, in order."""
    first: dict[str, Example] = {}
    for example in examples:
        first.setdefault(example.identity, example)
    return list(first.values())
