"""Has the model make a general guideline its own for a problem, plan by it, and solve the problem by the plan.

Why: ReGenesis (arXiv 2410.02108): reasoning paths that a model writes from general to concrete vary more than samples
of one prompt, and what is trained on them holds on other tasks too.
Formula: `paths` times a problem: two or three of the guidelines, which the model selects → said for this problem in
one or two sentences → a structure of the solution, without solving → the solution; the first paths take one guideline
each, without selecting. A correct solution counts as an answer to the plain problem. The paper has 25 guidelines, 45
paths a problem, a temperature of 1.2 and a top-p of 0.9, and asks what remains unsolved with the answer in the prompt:
{kind: with_answer}. Not checked against the paper: the words, and the guidelines, which are ours.
How it fails: four calls a path, and a small model loses the problem on the way.
Example: `data: {kind: sampled, file: P.jsonl, temperature: 1.2, asks: [{kind: regenesis}, {kind: with_answer}]}`
"""

import random
import re
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.data.asks._ask import Answerer, Ask, Try, put
from tinyreason.example import Example

GUIDELINES = (
    "Break the problem into smaller parts.",
    "Work step by step, and check each step.",
    "Say in your own words what is asked.",
    "List what is known and what is not.",
    "Work backwards from what is asked.",
    "Look for a simpler problem of the same kind.",
    "Write the facts as equations.",
    "Keep track of the units.",
    "Look for what has to be found first.",
    "Estimate the answer, and compare in the end.",
    "Try a special case.",
    "Look for a pattern.",
    "Make a table or a picture.",
    "Question what is taken for granted.",
    "Try another way, and see whether both agree.",
)
SELECT = "{problem}\n\nWhich two or three of these help most with this problem? Give their numbers.\n{listed}"
ADAPT = "{problem}\n\nSay for this problem, in one or two sentences, what this means: {guideline}"
STRUCTURE = "{problem}\n\nWrite the outline of a solution, without solving it. Keep to this: {adapted}"
SOLVE = "{problem}\n\nSolve it by this outline:\n{structure}"

Way = tuple[Example, int]
"""A problem, and which of its paths."""


class Regenesis(Ask):
    """Asks by way of general guidelines that the model makes its own, plans by, and solves by."""

    of_all: ClassVar[bool] = True

    kind: Literal["regenesis"] = "regenesis"
    paths: int = Field(4, ge=1)
    """How many solutions each problem is asked for."""
    selected: int = Field(2, ge=0)
    """So many of them, the last ones, are by guidelines that the model selects."""
    guidelines: tuple[str, ...] = Field(GUIDELINES, min_length=3)
    """What is made of the problem's own."""

    def tries(
        self, problems: Sequence[Example], before: Sequence[Sequence[Try]], answerer: Answerer
    ) -> list[list[Try]]:
        paths = [(problem, path) for problem in problems for path in range(self.paths)]
        adapted = self.said("adapt", ADAPT, paths, "guideline", self.guided(paths, answerer), answerer)
        structures = self.said("structure", STRUCTURE, paths, "adapted", what_is_said(adapted), answerer)
        solved = self.said("solve", SOLVE, paths, "structure", what_is_said(structures), answerer)
        return [solved[at : at + self.paths] for at in range(0, len(solved), self.paths)]

    def counts(self, before: int) -> tuple[int, int]:
        return 3 * self.paths + min(self.selected, self.paths), self.paths

    def said(
        self, step: str, layout: str, paths: list[Way], name: str, texts: Sequence[str], answerer: Answerer
    ) -> list[Try]:
        """Returns what the model says at a step of each path; `texts` are what `{name}` stands for in its layout."""
        asked = [
            put(
                one,
                layout.format(**{name: text, "problem": one.problem}),
                named=f"{step}/{path}",
                is_solved=step == "solve",
            )
            for (one, path), text in zip(paths, texts, strict=True)
        ]
        return answerer.sample(asked)

    def guided(self, paths: list[Way], answerer: Answerer) -> list[str]:
        """Returns the guidelines of each path: one each, and of the last ones those that the model selects."""
        listed = "\n".join(f"{number}. {text}" for number, text in enumerate(self.guidelines, 1))
        selecting = [one for one in paths if one[1] >= self.paths - self.selected]
        said = (
            self.said("select", SELECT, selecting, "listed", [listed] * len(selecting), answerer) if selecting else []
        )
        chosen = {(one.id, path): answer.text for (one, path), answer in zip(selecting, said, strict=True)}
        return [self.guidelines_of(one, path, chosen.get((one.id, path), "")) for one, path in paths]

    def guidelines_of(self, problem: Example, path: int, said: str) -> str:
        """Returns the guidelines whose numbers are said, at most three; where none is, one that goes by the path."""
        numbers = dict.fromkeys(int(number) for number in re.findall(r"\b\d{1,2}\b", said))
        meant = [self.guidelines[number - 1] for number in numbers if 1 <= number <= len(self.guidelines)]
        order = random.Random(problem.id).sample(self.guidelines, len(self.guidelines))
        return " ".join(meant[:3] or [order[path % len(order)]])


def what_is_said(tries: Sequence[Try]) -> list[str]:
    """Returns what was said."""
    return [one.text.strip() for one in tries]
