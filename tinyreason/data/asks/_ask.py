"""Holds what every way of asking is given and gives: problems, what was tried at them, and a model to ask."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

from tinyreason.example import Example
from tinyreason.schema import Schema


@dataclass(frozen=True)
class Try:
    """A completion of a problem; `correct` is None before it is graded, and where it cannot be."""

    text: str
    tokens: int
    truncated: bool
    correct: bool | None = None
    variant: str | None = None
    """What it was asked by, where several ways are compared."""

    def as_json(self) -> dict[str, Any]:
        """Returns what files hold of it."""
        return {name: value for name, value in vars(self).items() if name != "variant" or value}


class Answerer(Protocol):
    """A model to ask, as the run asks it."""

    def sample(self, asked: Sequence[Example], temperature: float | None = None) -> list[Try]:
        """Returns a completion of each; `temperature` instead of the run's, 0 = greedy."""

    def grade(self, problems: Sequence[Example], tries: Sequence[Try]) -> list[Try]:
        """Returns the tries with what is correct of them."""

    def criticise(self, problems: Sequence[Example], texts: Sequence[str], critic: str | None) -> list[str]:
        """Returns what the critic says of each attempt: `oracle`, a model, or None for the model itself."""


class Ask(Schema):
    """Asks problems once more, in another way; what is sampled is imitated as an answer to the plain problem."""

    of_all: ClassVar[bool] = False  # whether it is for every problem, and not for those alone that nothing solved

    @property
    def other_model(self) -> str | None:
        """Returns the model that it needs beside the one that is asked."""
        return None

    def tries(
        self, problems: Sequence[Example], before: Sequence[Sequence[Try]], answerer: Answerer
    ) -> list[list[Try]]:
        """Returns what each problem is answered, ungraded; `before` is what was tried at it."""
        raise NotImplementedError

    def counts(self, before: int) -> tuple[int, int]:
        """Returns the most completions it samples of a problem at which `before` were tried, and how many are tries."""
        raise NotImplementedError


def put(example: Example, *turns: str, named: str, is_solved: bool = True) -> Example:
    """Returns a problem whose last message is followed by these turns of the model and the user, or is the first one.

    One turn takes the place of the message; of several the first is the model's. `named` tells its random numbers
    from those of the plain problem. What asks for no solution, `is_solved` false, is put as it stands: the run's prompt
    would ask for reasoning and a final answer behind it.
    """
    *history, last = example.messages
    if len(turns) == 1:
        messages = [*history, {**last, "content": turns[0]}]
    else:
        roles = ("assistant", "user")
        said = [{"role": roles[place % 2], "content": text} for place, text in enumerate(turns)]
        messages = [*history, last, *said]
    meta = example.meta if is_solved else example.meta | {"is_whole_request": True}
    return replace(example, id=f"{example.id}/{named}", messages=tuple(messages), meta=meta)
