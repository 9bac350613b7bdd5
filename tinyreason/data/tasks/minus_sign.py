"""The sandbox's own stories, but the answer is asked with a minus sign, which its model never writes.

Why: rollouts of a policy that is never correct teach nothing; this is the world in which hints, solutions in the group
and other rescues can be told apart. The sandbox's model knows the story and its calculations, and writes them down in
about a quarter of its completions; it needs one more sign.
Formula: things are gained and lost `changes` times; the answer is minus the number at the end. The trace has the
calculations.
Reward hacking: none is known; a guess with a minus sign is correct about one time in a hundred.
Example: `data: {kind: generated, task: {kind: minus_sign}, traces: true}` with `rollouts: {kind: luffy}`
"""

import random
from typing import ClassVar, Literal

from tinyreason.data.tasks._task import Puzzle, Task, between
from tinyreason.sandbox.tasks import chain


class MinusSign(Task):
    """Makes the sandbox's stories with an answer below zero; the level is the number of calculations."""

    form: ClassVar[str] = "as a number"
    request: ClassVar[str] = ""  # the sandbox's model knows no request
    kind: Literal["minus_sign"] = "minus_sign"
    changes: between(1, 5) = (2, 3)
    """How often the number changes, 1 to 5 times, or [least, most]; the sandbox's model knows up to five."""

    def make(self, rng: random.Random) -> Puzzle:
        """Makes a story."""
        problem = chain(rng, self.changes)
        lines = [str(step) for step in problem.steps]
        text = f"{problem.text} Say it with a minus sign."
        return Puzzle(text, str(-problem.answer), len(lines), " ".join(lines), lines)

    def trace(self, puzzle: Puzzle, rng: random.Random) -> tuple[list[str], str]:
        """Works out how many there are at the end."""
        return puzzle.facts, puzzle.answer
