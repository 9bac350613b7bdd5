"""Reads a pool of problems, each as good as the other."""

from typing import Annotated, Literal

from pydantic import Field

from tinyreason.data._source import Source
from tinyreason.example import Example


class Problems(Source):
    """Reads many problems with gold answers: the usual training set of reinforcement learning with verifiable rewards.

    Why: variety leaves nothing to memorise but how to reason (DeepSeek-R1, arXiv 2501.12948).

    Reward hacking: an incorrect gold answer rewards incorrect reasoning; a problem that also stands in the test
    set, in other words, makes the gain look larger than it is.

    Example: `data: {kind: problems, name: openai/gsm8k, subset: main, size: 1000}`.
    """

    kind: Literal["problems"] = "problems"
    size: Annotated[int, Field(ge=1)] | None = None
    """Number of problems, from the first on. Unset: all that have an answer; of generated ones 2,000."""

    def load(self, needs_answers: bool = True) -> list[Example]:
        """Returns the problems, in the order of the source; those without an answer where none is needed."""
        return self.pool(self.size, needs_answers)

    def describe(self) -> str:
        """Returns what is trained on, in a few words."""
        if self.world:
            return f"{self.size or self.usual_size:,} problems of {self.origin}"
        return f"{f'the first {self.size:,}' if self.size else 'all'} problems of {self.origin}"
