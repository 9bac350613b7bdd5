"""Completions of the model itself to its problems, sampled when training on them begins: self-training."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tinyreason.data._source import Source
from tinyreason.example import Example


class Sampled(Source):
    """Has the model in hand answer problems, and gives its own completions to imitate; a run or stage of SFT.

    Why: what a model can already do now and then it learns to do each time (STaR, arXiv 2203.14465; STILL-2, arXiv
    2412.09413); with `stages` in rounds.

    Reward hacking: a correct answer by incorrect steps is imitated like any other, and what no sample solves is never
    trained on, so the easy problems grow at the cost of the hard ones.

    Example: `data: {kind: sampled, name: openai/gsm8k, subset: main, size: 1000, samples: 8}`.
    """

    is_sampled: ClassVar[bool] = True

    kind: Literal["sampled"] = "sampled"
    size: Annotated[int, Field(ge=1)] | None = None
    """Number of problems, from the first on. Unset: all that have an answer; of generated ones 2,000."""
    samples: int = Field(4, ge=1)
    """Completions sampled for each problem."""
    temperature: float = Field(1.0, ge=0)
    """Temperature at which they are sampled; 0 = greedy."""
    keep: Literal["correct", "incorrect", "all"] = "correct"
    """Which of them are trained on; truncated ones and repetitions never are."""
    most_per_problem: Annotated[int, Field(ge=1)] | None = None
    """At most so many of a problem are kept, the first ones; unset: all."""
    with_earlier: bool = False
    """Whether what earlier stages sampled and kept is trained on too, as STILL-2's pool."""
    start: Literal["adapter", "base"] = "adapter"
    """What is trained on them: the adapter that sampled them, or its start again, before all stages (STaR)."""

    def check(self, run, path: str) -> None:
        super().check(run, path)
        if not run.train.needs_completions:
            raise ValueError(
                f"{path}.kind=sampled gives completions to imitate; type {path}.kind=problems, or trainer sft"
            )
        if self.keep != "all" and (comparing := [one.kind for one in self.transforms if one.compares]):
            raise ValueError(
                f"{path}.transforms: {comparing[0]} compares correct with incorrect completions, and {path}.keep="
                f"{self.keep} keeps one of them; type {path}.keep=all"
            )
        if self.with_earlier and self.start == "adapter":
            raise ValueError(f"{path}.with_earlier=true trains on what the adapter has learnt; type {path}.start=base")

    def load(self, needs_answers: bool = True) -> list[Example]:
        """Returns the problems, in the order of the source; their completions are sampled when training begins."""
        return self.pool(self.size)

    def describe(self) -> str:
        """Returns what is trained on, in a few words."""
        which = "completions" if self.keep == "all" else f"{self.keep} completions"
        size = self.size or self.usual_size
        return f"its own {which}, {self.samples} for each of {f'{size:,}' if size else 'all'} problems of {self.origin}"
