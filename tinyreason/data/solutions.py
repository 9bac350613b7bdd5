"""Problems with worked solutions, to imitate."""

import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Annotated, Literal

from pydantic import Field

from tinyreason.data._source import Source
from tinyreason.data.columns import Columns, are_bare_answers, solutions_of
from tinyreason.data.dropped import Dropped
from tinyreason.data.files import Row
from tinyreason.example import Example
from tinyreason.grading.answers import gold_text
from tinyreason.grading.thought import OPEN, thought_and_answer

BARE = "it has no worked solutions, so this trains on bare answers, which teach no reasoning; rlvr needs no more"


class Solutions(Source):
    """Reads many problems, each with a solution worked out step by step: the set of supervised fine-tuning.

    Why: a few hundred excellent traces teach a model that has the skill to use it (LIMO, arXiv 2502.03387).

    Reward hacking: a solution with an incorrect step is imitated like a correct one; nothing here checks the steps.

    Example: `data: {kind: solutions, file: gsm8k_train.jsonl, size: 500}`.
    """

    kind: Literal["solutions"] = "solutions"
    size: Annotated[int, Field(ge=1)] | None = None
    """Number of solutions, from the first on. Unset: all; of generated ones 2,000."""
    completion_column: str | None = None
    """The column that holds the solution, `a.b` for a nested one. Found by itself in the published sets."""
    weight_column: str | None = None
    """A column with how much each row counts in the loss; unset: all the same."""
    signed: bool = False
    """Whether a weight may be negative, which trains away from its solution."""
    spans_column: str | None = None
    """A column of [start, end, weight] lists: characters that count otherwise than the rest of their solution."""
    turns: Literal["last", "all"] = "last"
    """Which answers of a conversation are trained on: the last, or the assistant's every turn."""
    tags: Literal["as_written", "think_answer", "confidence"] = "as_written"
    """How they are written: as they are, in `<think>` and `<answer>`, or with a `<confidence>`, sampled at random."""
    rambling_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of generated solutions in which every step is checked and restated, as correct and twice as long."""

    @property
    def columns(self) -> Columns:
        """Returns the columns that are named."""
        named = (self.completion_column, self.weight_column, self.spans_column)
        return Columns(self.problem_column, self.answer_column, *named, signed=self.signed)

    def read(self, rows: list[Row], dropped: Dropped) -> Iterator[tuple[int, Example]]:
        """Yields (place, problem with its solution) of these rows."""
        for place, example in solutions_of(rows, self.columns, dropped):
            every_turn = {"trains_every_turn": True} if self.turns == "all" and len(example.messages) > 1 else {}
            yield place, self.in_tags(replace(example, meta=example.meta | every_turn))

    def in_tags(self, example: Example) -> Example:
        """Returns the problem with its solution in the tags that are asked for; spans of the solution are of no use."""
        if self.tags == "as_written":
            return example
        thought, answer = thought_and_answer(example.completion) or (example.completion, "")
        answer = gold_text(example.answer) or answer.strip()
        text = f"<think>\n{thought.replace(OPEN, '').strip()}\n</think>\n<answer>{answer}</answer>"
        if self.tags == "confidence":
            text += f"\n<confidence>{random.Random(example.id).randint(0, 10) / 10}</confidence>"
        return replace(example, completion=text, spans=())

    def load(self, needs_answers: bool = True) -> list[Example]:
        """Returns the problems with their solutions, in the order of the source; an answer is never needed."""
        if self.is_endless:
            return [self.in_tags(one) for one in self.solved(self.size or self.usual_size, self.rambling_share)]
        dropped = self.dropped()
        examples = [example for _, example in islice(self.numbered(dropped=dropped), self.size)]
        self.check_size(examples, self.size, dropped)
        if are_bare_answers(examples):
            print(f"{self.origin}: {BARE}", file=sys.stderr)
        return examples

    def describe(self) -> str:
        """Returns what is trained on, in a few words."""
        if self.is_endless:
            kind = "rambling" if self.rambling_share else "worked"
            return f"{self.size or self.usual_size:,} {kind} problems of {self.origin}"
        return f"{f'the first {self.size:,}' if self.size else 'all'} solutions of {self.origin}"
