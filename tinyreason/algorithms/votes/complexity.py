"""The majority of the completions with the most steps (complexity-based prompting, arXiv 2210.00720).

Why: a completion that works in more steps has skipped fewer.
Formula: steps = lines that are not empty; the K of N with the most have one vote each, K = 0.8 N rounded, at least 1.
Not checked against the paper: that K of its 50 samples is 40, and that a line is a step.
How it fails: a model that writes all on one line has one step always, and the vote is that of its first K samples; a
loop has many steps.
Example: `tinyreason eval sandbox --bench chain --samples 16 --vote complexity`.
"""

from collections.abc import Sequence
from typing import Literal

from tinyreason.algorithms.votes._vote import Ballot, Vote

KEPT = 0.8
"""Share of the completions that have a vote."""


class Complexity(Vote):
    """Gives one vote to each of the completions with the most steps, and none to the others."""

    kind: Literal["complexity"] = "complexity"

    def weights(self, ballots: Sequence[Ballot]) -> list[float]:
        """Returns 1 or 0 for each; of as many steps the earlier sample is kept."""
        steps = [sum(bool(line.strip()) for line in ballot.text.splitlines()) for ballot in ballots]
        return most_steps(steps, max(1, round(KEPT * len(ballots))))


def most_steps(steps: Sequence[int], kept: int) -> list[float]:
    """Returns 1 for the `kept` with the most steps, the first of equal ones, and 0 for the others."""
    chosen = sorted(range(len(steps)), key=lambda number: -steps[number])[:kept]
    return [float(number in chosen) for number in range(len(steps))]
