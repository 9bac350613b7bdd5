"""Has the model choose a strategy, and where that fails try the next, told of the failure.

Why: SMART (arXiv 2410.16128): a model that has to be asked twice could have chosen the better strategy at once; trained
on the first strategy that ended well, it does.
Formula: the model names a strategy and solves the problem by it; where the answer is incorrect, by the next, shown what
failed. What ends correct is imitated as an answer to the plain problem, behind the line `Strategy: NAME`. Recollected,
not checked against the paper or any code. Not here: programs, since nothing runs what a model writes.
How it fails: where one strategy solves all that any does, there is nothing to choose.
Example: `data: {kind: sampled, file: P.jsonl, most_per_problem: 1, asks: [{kind: smart_strategy}]}`
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.data.asks._ask import Answerer, Ask, Try, put
from tinyreason.example import Example

STRATEGIES = {
    "step by step": "Reason step by step.",
    "decomposition": "Break the problem into smaller questions, answer each, then the whole.",
}
CHOOSE = "{problem}\n\nWhich strategy suits this problem: {names}? Say its name alone."
AGAIN = "That is not correct. Solve the problem by another strategy: {strategy}"


class SmartStrategy(Ask):
    """Has the model choose a strategy, and try the next where that fails."""

    of_all: ClassVar[bool] = True

    kind: Literal["smart_strategy"] = "smart_strategy"
    strategies: dict[str, str] = Field(STRATEGIES, min_length=2)
    """Name → what is asked for."""

    def tries(
        self, problems: Sequence[Example], before: Sequence[Sequence[Try]], answerer: Answerer
    ) -> list[list[Try]]:
        names = " or ".join(self.strategies)
        choices = answerer.sample(
            [
                put(one, CHOOSE.format(names=names, problem=one.problem), named="choose", is_solved=False)
                for one in problems
            ]
        )
        orders = [self.order(choice.text) for choice in choices]
        asks = [
            put(one, f"{one.problem}\n\n{self.strategies[order[0]]}", named=order[0])
            for one, order in zip(problems, orders, strict=True)
        ]
        found: list[list[Try]] = [[] for _ in problems]
        open_ones = list(range(len(problems)))
        for turn in range(len(self.strategies)):
            answers = answerer.sample([asks[at] for at in open_ones])
            graded = answerer.grade([problems[at] for at in open_ones], answers)
            for at, one in zip(open_ones, graded, strict=True):
                name = orders[at][turn]
                found[at].append(replace(one, text=f"Strategy: {name}\n{one.text}", variant=name))
                if turn + 1 < len(self.strategies):
                    following = AGAIN.format(strategy=self.strategies[orders[at][turn + 1]])
                    asks[at] = put(asks[at], one.text, following, named=orders[at][turn + 1])
            open_ones = [at for at in open_ones if not found[at][-1].correct]
        return found

    def counts(self, before: int) -> tuple[int, int]:
        return 1 + len(self.strategies), len(self.strategies)

    def order(self, said: str) -> list[str]:
        """Returns the strategies, first the one that is named; where none is, as they stand."""
        named = [(said.lower().find(name.lower()), name) for name in self.strategies]
        first = min((pair for pair in named if pair[0] >= 0), default=(0, next(iter(self.strategies))))[1]
        return [first, *(name for name in self.strategies if name != first)]
