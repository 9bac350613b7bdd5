"""Votes by rank of the model's own certainty (Borda voting, arXiv 2502.18581).

Why: a distribution far from uniform says that the model knows what comes next, and no other model has to be asked.
Formula: u = mean over the completion's tokens of -1/V Σ_j log p_j - log V, the divergence of p from uniform at
temperature 1. Ranked by u, r = 0 for the surest and those without an answer last, completion r of N weighs
(N - r)^0.5, which is the power of the released script; a power of 0 would be the majority.
How it fails: a completion that repeats itself is sure of every token. A model trained on this number learns to be sure.
It costs no forward pass: the engine reads u from the logits that it samples from.
Example: `tinyreason eval sandbox --bench chain --samples 16 --vote self_certainty`.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

from tinyreason.algorithms.votes._vote import Ballot, Vote

POWER = 0.5
"""Of the weight in the number of completions that are not surer."""


class SelfCertainty(Vote):
    """Weighs a completion by the rank of its certainty among all to the problem."""

    needs: ClassVar[frozenset[str]] = frozenset({"certainty"})
    kind: Literal["self_certainty"] = "self_certainty"

    def weights(self, ballots: Sequence[Ballot]) -> list[float]:
        """Returns (N - r)^0.5 for each; of equal certainty the earlier sample ranks first."""
        surest_first = sorted(range(len(ballots)), key=lambda n: (ballots[n].extracted is None, -ballots[n].certainty))
        weights = [0.0] * len(ballots)
        for rank, number in enumerate(surest_first):
            weights[number] = (len(ballots) - rank) ** POWER
        return weights
