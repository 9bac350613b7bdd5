"""A pool of problems, each as good as the other."""

from typing import Annotated, Literal

from pydantic import Field

from tinyreason.data._source import Source
from tinyreason.example import Example


class Problems(Source):
    """Many problems with gold answers: the usual training set of reinforcement learning with verifiable rewards.

    Why: variety leaves nothing to learn by heart but how to reason (DeepSeek-R1, arXiv 2501.12948).

    How it can be gamed: a wrong gold answer rewards the wrong reasoning; a problem that also stands in the test set,
    in other words, makes the gain look larger than it is.

    Example: `data: {kind: problems, name: openai/gsm8k, subset: main, size: 1000}`.
    """

    kind: Literal["problems"] = "problems"
    size: Annotated[int, Field(ge=1)] | None = None
    """How many, from the first on. Unset: all that have an answer; of the sandbox 2,000."""

    def load(self) -> list[Example]:
        """The problems, in the order of the source."""
        return self.pool(self.size)

    def describe(self) -> str:
        """What is trained on, in a few words."""
        if self.family:
            return f"{self.size or self.usual_size:,} sandbox problems ({self.family})"
        return f"{f'the first {self.size:,}' if self.size else 'all'} problems of {self.origin}"
