"""Stories in the sandbox's words that ask by how much a number has changed, which its model is never correct about.

Why: rollouts of a policy that is never correct teach nothing; this is the world in which hints, solutions in the group
and other rescues can be told apart. It is new but near: the sandbox's model knows the story and every calculation, not
the question, and not that a loss has a minus sign, which none of its guesses has.
Formula: things are gained and lost two or three times, and fewer are left than there were: the answer is minus the
difference. The trace has the story's calculations, then the difference.
Reward hacking: none is known; a guess with a minus sign is correct about one time in forty.
Example: `data: {kind: generated, task: {kind: net_change}, traces: true}` with `rollouts: {kind: luffy}`
"""

import random
from typing import ClassVar, Literal

from tinyreason.data.tasks._task import Puzzle, Task
from tinyreason.sandbox.tasks import Step, chain


class NetChange(Task):
    """Makes stories of gains and losses that end in fewer things; the level is the number of calculations."""

    form: ClassVar[str] = "as a number"
    request: ClassVar[str] = ""  # the sandbox's model knows no request
    kind: Literal["net_change"] = "net_change"

    def make(self, rng: random.Random) -> Puzzle:
        """Makes a story in which the number falls."""
        while True:
            problem = chain(rng)
            start = problem.steps[0].left
            if problem.answer < start:
                break
        story, _, _ = problem.text.rpartition(" How many ")
        lines = [str(step) for step in (*problem.steps, Step(start, "-", problem.answer))]
        text = f"{story} By how much has the number changed?"
        return Puzzle(text, str(problem.answer - start), len(lines), " ".join(lines), lines)

    def trace(self, puzzle: Puzzle, rng: random.Random) -> tuple[list[str], str]:
        """Works out how many there are now, and the difference."""
        return puzzle.facts, puzzle.answer
