"""The sandbox's own stories at any length, and mislabelled ones: what its model can, cannot, or must not learn.

Why: a comparison of methods needs problems of known difficulty. The sandbox's model has read stories of two to five
changes and thinks about them in a quarter of its completions; of one, or of six and more, it skips or adds one.
Formula: things are gained and lost `changes` times; the answer is the number at the end. Mislabelled, the gold answer
is the number at the start, which no calculation reaches. The trace has the calculations; in a share `slips` of the
traces one of them is off by 1 to 5, and the rest follows from it, so the answer is incorrect.
Reward hacking: a mislabelled answer is had without reading the story: that is what it is for.
Example: `data: {kind: generated, task: {kind: story, changes: [6, 7]}}`
"""

import random
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.data.tasks._task import Puzzle, Task, between
from tinyreason.sandbox.tasks import Step, chain


class Story(Task):
    """Makes the sandbox's stories; the level is the number of calculations."""

    form: ClassVar[str] = "as a number"
    request: ClassVar[str] = ""  # the sandbox's model knows no request
    kind: Literal["story"] = "story"
    changes: between(1, 9) = (2, 3)
    """How often the number changes, 1 to 9 times, or [least, most]; the sandbox's model has read two to five."""
    mislabelled: bool = False
    """Whether the gold answer is the number at the start, so that being correct is not what is rewarded."""

    slips: float = Field(0.0, ge=0, le=1)
    """Share of the traces that slip in a calculation, as a weak teacher's."""

    def make(self, rng: random.Random) -> Puzzle:
        """Makes a story."""
        problem = chain(rng, self.changes)
        key = " ".join(map(str, problem.steps))
        answer = problem.steps[0].left if self.mislabelled else problem.answer
        return Puzzle(problem.text, str(answer), len(problem.steps), key, problem.steps)

    def trace(self, puzzle: Puzzle, rng: random.Random) -> tuple[list[str], str]:
        """Works out how many there are at the end; of a mislabelled story it says the gold answer at once."""
        if self.mislabelled:
            return [], puzzle.answer
        slipping = rng.randrange(len(puzzle.facts)) if rng.random() < self.slips else None
        lines, total = [], puzzle.facts[0].left
        for number, step in enumerate(puzzle.facts):
            off = rng.randint(1, 5) if number == slipping else 0
            result = Step(total, step.operation, step.right).result + off
            lines.append(f"{total}{step.operation}{step.right}={result}")
            total = result
        return lines, str(total)
