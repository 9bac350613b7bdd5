"""The most frequent answer (self-consistency, arXiv 2203.11171).

Why: incorrect completions disagree with each other, and correct ones do not.
Formula: each completion weighs 1; of a tie each answer wins with the same chance.
How it fails: where one incorrect answer is the usual one, more samples make it surer; it costs all samples' tokens.
Example: `tinyreason eval sandbox --bench chain --samples 16 --vote majority`.
"""

from collections.abc import Sequence
from typing import Literal

from tinyreason.algorithms.votes._vote import Ballot, Vote


class Majority(Vote):
    """Gives each completion one vote."""

    kind: Literal["majority"] = "majority"

    def weights(self, ballots: Sequence[Ballot]) -> list[float]:
        """Returns 1 for each."""
        return [1.0] * len(ballots)
