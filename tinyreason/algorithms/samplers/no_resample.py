"""Does not ask again what is solved: a problem whose last group was nearly all correct is done.

Why: ScaleRL's no-positive-resampling (arXiv 2510.13786): easy problems cost rollouts and teach nothing.
Formula: a problem with a share of correct rollouts ≥ 0.9 at its last visit is not asked again; where none is left, all
are asked once more.
How it fails: what was solved by luck in a small group never comes back, nor what is forgotten later.
Example: `samplers: [{kind: no_resample}]`
"""

from collections.abc import Sequence
from random import Random
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.samplers._sampler import Sampler, graded_groups, in_turn
from tinyreason.example import Example
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class NoResample(Sampler):
    """Leaves out the problems that were solved at their last visit."""

    needs_history: ClassVar[bool] = True
    reads_gold: ClassVar[bool] = True
    drops_solved: ClassVar[bool] = True

    kind: Literal["no_resample"] = "no_resample"
    solved_from: float = Field(0.9, gt=0, le=1)
    """The share of correct rollouts from which a problem is solved."""

    def choose(self, examples: Sequence[Example], count: int, rng: Random, store: Store) -> list[int]:
        solved = {*store.get(self.kind, "solved", [])}
        if all(example.id in solved for example in examples):
            solved = set()
            store.put(self.kind, "solved", [])
        return in_turn(len(examples), count, rng, store, lambda number: examples[number].id in solved)

    def observe(self, batch: Batch, advantages: Tensor, store: Store) -> None:
        solved = dict.fromkeys(store.get(self.kind, "solved", []))
        solved |= {
            example.id: None
            for example, graded, correct in graded_groups(batch)
            if correct / graded >= self.solved_from
        }
        store.put(self.kind, "solved", list(solved))

    def metrics(self, store: Store) -> dict[str, float]:
        return {"solved": float(len(store.get(self.kind, "solved", [])))}
