"""Has incorrect attempts criticised and refined; a refinement that is correct counts as an answer to the problem.

Why: critique in the loop (arXiv 2411.16579): sampling finds fewer and fewer new solutions of hard problems, round after
round, and a critic's word on where an attempt fails finds more of them.
Formula: each incorrect attempt at a problem that nothing solved is criticised at temperature 0, shown to the model
with that critique, and answered anew; the first correct one is kept: `most_per_problem: 1`, `start: base`, attempts at
a temperature of 0.7. Not checked against the paper: the words. Not here: more tries at hard problems, and training on
the refining itself.
How it fails: a model that has never read a critique refines no better than it guesses.
Example: `data: {kind: sampled, file: P.jsonl, asks: [{kind: critique_in_the_loop, critic: runs/cft}]}`
"""

from collections.abc import Sequence
from typing import Literal

from tinyreason.data.asks._ask import Answerer, Ask, Try, put
from tinyreason.example import Example

REFINE = "{critique}\n\nSolve the problem again, with this in mind."


class CritiqueInTheLoop(Ask):
    """Has incorrect attempts criticised, and refined by the model."""

    kind: Literal["critique_in_the_loop"] = "critique_in_the_loop"
    critic: str | None = None
    """Who criticises: `oracle` (generated problems), a model, adapter or run, or a hub id; unset: the model itself."""

    @property
    def other_model(self) -> str | None:
        """Returns the model that criticises, where it is another."""
        return None if self.critic == "oracle" else self.critic

    def tries(
        self, problems: Sequence[Example], before: Sequence[Sequence[Try]], answerer: Answerer
    ) -> list[list[Try]]:
        attempts = [(problem, one) for problem, tried in zip(problems, before, strict=True) for one in tried]
        of, texts = [problem for problem, _ in attempts], [one.text for _, one in attempts]
        critiques = answerer.criticise(of, texts, self.critic)
        asked = [
            put(problem, text, REFINE.format(critique=critique), named=f"{self.kind}/{number}")
            for number, (problem, text, critique) in enumerate(zip(of, texts, critiques, strict=True))
        ]
        found = iter(answerer.sample(asked))
        return [[next(found) for _ in tried] for tried in before]

    def counts(self, before: int) -> tuple[int, int]:
        return (before if self.critic == "oracle" else 2 * before), before
