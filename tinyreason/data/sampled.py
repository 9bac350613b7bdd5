"""Completions of the model itself, or of another, to problems, sampled when training on them begins."""

import os
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tinyreason.data._source import Source
from tinyreason.data.asks import ASKS
from tinyreason.example import Example
from tinyreason.schema import one_of


class Sampled(Source):
    """Has the model in hand, or another, answer problems, and gives the completions to imitate; a run or stage of SFT.

    Why: what a model can already do now and then it learns to do each time (STaR, arXiv 2203.14465; STILL-2, arXiv
    2412.09413); with `stages` in rounds. With `model` it is weak-to-strong fine-tuning: a larger model learns how a
    small one reasons, by its incorrect completions too (arXiv 2505.20072).

    Formula: of `temperatures`, the one with the largest mean of c/k over `tried` problems, c correct of k kept, or
    c²/(n·k) where c is below n = `wanted` (B-STaR, arXiv 2412.17256; there with a process reward too).

    With `asks` what plain samples do not solve is asked in other ways, as with the answer or after a critique.

    Reward hacking: a correct answer by incorrect steps is imitated like any other, and what no sample solves is never
    trained on, so the easy problems grow at the cost of the hard ones.

    Example: `data: {kind: sampled, name: openai/gsm8k, subset: main, size: 1000, samples: 8}`.
    """

    is_sampled: ClassVar[bool] = True

    kind: Literal["sampled"] = "sampled"
    size: Annotated[int, Field(ge=1)] | None = None
    """Number of problems, from the first on. Unset: all that have an answer; of generated ones 2,000."""
    model: str | None = None
    """Who samples: `sandbox`, a folder of a model, adapter or run, or a hub id; unset: the model that is trained."""
    samples: int = Field(4, ge=1)
    """Completions sampled for each problem."""
    temperature: float = Field(1.0, ge=0)
    """Temperature at which they are sampled; 0 = greedy."""
    temperatures: tuple[Annotated[float, Field(gt=0)], ...] = ()
    """Of these the best is found anew each time before they are sampled; none: `temperature`."""
    tried: int = Field(16, ge=1)
    """Problems, the first ones, that each of `temperatures` is tried on, with `samples` completions each."""
    wanted: int = Field(8, ge=1)
    """Correct completions of a problem that are enough, when temperatures are compared."""
    asks: tuple[one_of(ASKS), ...] = ()
    """Further ways in which problems are asked, one after the other, most of them where nothing was correct so far."""
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
        for place, name in self.other_models.items():
            is_here = run.model.model_copy(update={"name": name}).is_built_in or os.path.exists(name)
            if run.is_offline and not is_here:
                raise ValueError(
                    f"the {run.tier} tier never uses the network, and {path}.{place}={name} is neither 'sandbox' nor a "
                    f"local folder"
                )
        if self.keep != "all" and (comparing := [one.kind for one in self.transforms if one.compares]):
            raise ValueError(
                f"{path}.transforms: {comparing[0]} compares correct with incorrect completions, and {path}.keep="
                f"{self.keep} keeps one of them; type {path}.keep=all"
            )
        if self.with_earlier and self.start == "adapter":
            raise ValueError(f"{path}.with_earlier=true trains on what the adapter has learnt; type {path}.start=base")

    @property
    def other_models(self) -> dict[str, str]:
        """Returns option → the model it names, beside the one that is trained."""
        critics = {f"asks.{number}.critic": one.other_model for number, one in enumerate(self.asks)}
        return {place: name for place, name in {"model": self.model, **critics}.items() if name}

    @property
    def completions(self) -> int:
        """How many completions it has sampled at the most, those of its `asks` with them."""
        problems, tried = self.size or self.usual_size or 0, self.samples
        each = self.samples
        for ask in self.asks:
            sampled, more = ask.counts(tried)
            each, tried = each + sampled, tried + more
        return problems * each + len(self.temperatures) * self.tried * self.samples

    def load(self, needs_answers: bool = True) -> list[Example]:
        """Returns the problems, in the order of the source; their completions are sampled when training begins."""
        return self.pool(self.size)

    def describe(self) -> str:
        """Returns what is trained on, in a few words."""
        which = "completions" if self.keep == "all" else f"{self.keep} completions"
        size = self.size or self.usual_size
        whose = f"{which} of {self.model}" if self.model else f"its own {which}"
        return f"{whose}, {self.samples} for each of {f'{size:,}' if size else 'all'} problems of {self.origin}"
