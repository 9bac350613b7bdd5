"""Holds what every vote answers: how much the answer of each completion weighs."""

from collections.abc import Sequence
from typing import ClassVar, Protocol

from tinyreason.schema import Schema


class Ballot(Protocol):
    """One completion, as a vote sees it."""

    @property
    def text(self) -> str: ...

    @property
    def extracted(self) -> str | None:
        """Its answer; None has no vote, whatever it weighs."""

    @property
    def certainty(self) -> float | None:
        """Mean over its tokens of the divergence of what it was sampled from from uniform, in nats."""


class Vote(Schema):
    """Weighs the completions to one problem; the answer with the most weight wins, no gold answer is read."""

    needs: ClassVar[frozenset[str]] = frozenset()  # of {"certainty"}: what of the sampled tokens it reads

    def weights(self, ballots: Sequence[Ballot]) -> list[float]:
        """Returns a weight of at least 0 for each completion, in order."""
        raise NotImplementedError
