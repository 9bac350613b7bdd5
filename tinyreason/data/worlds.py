"""The worlds whose problems are made on the way, without a file or a network: the sandbox's, and word problems."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tinyreason.data import word_problems
from tinyreason.example import Example
from tinyreason.sandbox import NAME, oracle, tasks


@dataclass(frozen=True)
class World:
    """Endless problems of several families, each with worked solutions; none stands in two splits."""

    title: str
    """What messages call it."""
    families: tuple[str, ...]
    """The first is what is taken where none is named."""
    longest_prompt_tokens: Mapping[str, int]
    """Family → the tokens of its longest prompt, chat template included."""
    generate: Callable[[str, str, int], Iterator[Any]]
    """Makes the problems of a family and split, by a seed."""
    worked: Callable[[Any], str]
    """Writes the short solution of a problem."""
    rambling: Callable[[Any], str]
    """Writes the long one."""
    facts: Callable[[Any], dict[str, Any]] = lambda problem: {}
    """Returns what else an example's `meta` holds of a problem."""
    suits_any_model: bool = False
    """Whether its problems are for other models than its own."""

    def examples(self, family: str, split: str) -> Iterator[Example]:
        """Yields endless examples of one family and split, always the same."""
        for position, problem in enumerate(self.generate(family, split, 0)):
            yield Example(
                id=f"{family}/{split}/{position}",
                messages=({"role": "user", "content": problem.text},),
                answer=str(problem.answer),
                meta={"family": family, "steps": len(problem.steps)} | self.facts(problem),
            )


WORLDS = {
    NAME: World(
        "the sandbox",
        tuple(tasks.FAMILIES),
        tasks.LONGEST_PROMPT_TOKENS,
        tasks.generate,
        oracle.worked,
        oracle.rambling,
    ),
    word_problems.NAME: World(
        "the generated word problems",
        tuple(word_problems.FAMILIES),
        word_problems.LONGEST_PROMPT_TOKENS,
        word_problems.endless_problems,
        word_problems.short_solution,
        word_problems.long_solution,
        word_problems.facts,
        suits_any_model=True,
    ),
}
"""What `data.name` calls it → the world."""
SPLITS = tasks.SPLITS


def world_of(word: str | None) -> World | None:
    """Returns the world that `data.name` with this value names, or a family of it; None for any other name."""
    return WORLDS.get((word or "").partition(":")[0])
