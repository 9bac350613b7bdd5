"""Asks problems that nothing solved once more, with the answer in the prompt; what explains it is imitated without.

Why: STaR (arXiv 2203.14465), rationalization: what no sample solves is never trained on, and who knows the answer can
often find the way to it. ReGenesis (arXiv 2410.02108) ends so too.
Formula: the problem and its gold answer are put `samples` times; correct completions count as answers to the problem
alone. Not checked against the papers: their words.
How it fails: an explanation of a known answer can be any words that end in it.
Example: `data: {kind: sampled, name: sandbox, asks: [{kind: with_answer}]}`
"""

import re
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from tinyreason.data.asks._ask import Answerer, Ask, Try, put
from tinyreason.example import Example
from tinyreason.grading.answers import gold_text


class WithAnswer(Ask):
    """Asks with the answer in the prompt, and keeps the way that leads to it."""

    kind: Literal["with_answer"] = "with_answer"
    samples: int = Field(1, ge=1)
    """How many completions each of these problems is asked for."""
    text: str = Field("{problem}\n(The correct answer is {answer}. Show how to find it.)", pattern=r"\{answer\}")
    """What is put to the model; `{problem}` and `{answer}` stand for those."""

    def tries(
        self, problems: Sequence[Example], before: Sequence[Sequence[Try]], answerer: Answerer
    ) -> list[list[Try]]:
        asked = [put(one, self.told(one), named=f"{self.kind}/{n}") for one in problems for n in range(self.samples)]
        found = answerer.sample(asked)
        return [found[at : at + self.samples] for at in range(0, len(found), self.samples)]

    def counts(self, before: int) -> tuple[int, int]:
        return self.samples, self.samples

    def told(self, example: Example) -> str:
        """Returns the problem with its answer."""
        values = {"problem": example.problem, "answer": gold_text(example.answer)}
        return re.sub(r"\{(problem|answer)\}", lambda found: values[found[1]], self.text)
