"""Asks multiple-choice questions without their options, where they can be answered so.

Why: Nemotron-CrossThink (arXiv 2504.13941): an open answer cannot be guessed from its options.
Formula: the lines of options are taken out of the problem, and the text of the gold's option is the answer; questions
that need their options (`which of the following`) stay as they are; those go whose answer is not an option or is longer
than `most_words`. Not checked against the paper: the words by which a question needs its options.
How it fails: an open answer in other words than the option's may be graded incorrect.
Example: `data: {kind: problems, file: quiz.jsonl, grader: choice, transforms: [{kind: choice_open}]}`
"""

import re
from dataclasses import replace
from typing import Literal

from pydantic import Field

from tinyreason.data.transforms._transform import Transform, TransformContext, with_problem
from tinyreason.example import Example

OPTION = re.compile(r"^[ \t]*(?:\(([A-J])\)|([A-J])[.):])[ \t]+(\S.*?)[ \t]*$", re.MULTILINE)
NEEDS_OPTIONS = re.compile(
    r"\b(which|what|who) (one )?of (the following|these)|\b(all|none) of the above", re.IGNORECASE
)
LETTER = re.compile(r"\W*([A-J])\W*(?:\s.*)?", re.DOTALL)


class ChoiceOpen(Transform):
    """Turns multiple choice into open questions."""

    kind: Literal["choice_open"] = "choice_open"
    most_words: int = Field(10, ge=1)
    """The longest answer that is asked for without options, in words."""

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        left = []
        for example in examples:
            options = {one or other: text for one, other, text in OPTION.findall(example.problem)}
            if len(options) < 2 or NEEDS_OPTIONS.search(example.problem):
                left.append(example)
                continue
            named = LETTER.fullmatch(example.answer)
            gold = example.answer if example.answer in options.values() else options.get(named[1]) if named else None
            if gold is None:
                context.dropped["answer not among the options"] += 1
            elif len(gold.split()) > self.most_words:
                context.dropped[f"answer of more than {self.most_words} words"] += 1
            else:
                text = re.sub(r"\n\s*\n+", "\n", OPTION.sub("", example.problem)).strip()
                meta = {name: value for name, value in example.meta.items() if name != "grader"}
                left.append(replace(with_problem(example, text), answer=gold, grader="math", meta=meta))
        return left
