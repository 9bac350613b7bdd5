"""Holds what every edit shares: the traces it compares, and the change of each layer's o_proj that comes of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import Field

from tinyreason.schema import Schema
from tinyreason.tensors import Tensor


@dataclass(frozen=True)
class Trace:
    """A completion as the model reads it behind its prompt, and where in it the thought stands."""

    problem: str
    """Id of the problem."""
    ids: tuple[int, ...]
    """Tokens of the prompt and of the completion."""
    begin: int
    end: int
    """The thought's tokens are ids[begin:end]; of a completion without a thought all of it."""
    correct: bool | None

    @property
    def tokens(self) -> int:
        """Returns the length of the thought."""
        return self.end - self.begin


@dataclass(frozen=True)
class States:
    """What a model computed over the thoughts of N traces in its L layers: means over the tokens of each."""

    residual: Tensor
    """(N, L, hidden): the residual stream after the attention, before the norm of the MLP."""
    mixed: Tensor
    """(N, L, in): what o_proj reads, the heads side by side."""


@dataclass(frozen=True)
class LayerChange:
    """What an edit adds to o_proj, by the number of the layer."""

    factors: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    """(A (1 × in), B (out × 1)) of ΔW = B A."""
    biases: dict[int, Tensor] = field(default_factory=dict)
    """(out), added to what it returns."""
    said: tuple[str, ...] = ()
    """What was found, a line each."""


class Edit(Schema):
    """Compares a model's traces with each other, and changes how its attention writes into the residual stream."""

    traces: int = Field(64, ge=1)
    """Most traces of each side that the model reads, the first of them."""

    def sides(self, traces: Sequence[Trace]) -> tuple[list[Trace], list[Trace]]:
        """Returns the two sides that are compared. Errors: `DataError` where one is empty, with what to type."""
        raise NotImplementedError

    def change(self, sides: tuple[States, States], outputs: Sequence[Tensor], heads: int) -> LayerChange:
        """Returns what comes of both sides' states; `outputs` are the o_proj weights (hidden × in) of all layers."""
        raise NotImplementedError
