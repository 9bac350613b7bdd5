"""Trains on groups whose outcome is uncertain, and asks those problems again before new ones.

Why: VCRL (arXiv 2509.19803): the variance of a group's rewards says how much it can teach; a memory brings back what
taught. Not checked against the paper: the order of the memory, its size, and how much of a step comes from it.
Formula: a group is kept where 4p(1 − p) ≥ κ, p its share of correct rollouts, κ = 0.5; its problem waits in a queue,
the newest last, from which up to half of the next step's problems come.
How it fails: a problem that is a coin toss for good is asked for good.
Example: `samplers: [{kind: vcrl}]` with `train: {oversample: 1.5}`
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


class Vcrl(Sampler):
    """Keeps groups of uncertain outcome, and has their problems asked again."""

    reads_gold: ClassVar[bool] = True
    drops_even_groups: ClassVar[bool] = True

    kind: Literal["vcrl"] = "vcrl"
    least_variance: float = Field(0.5, gt=0, le=1)
    """κ, the least variance of the outcome, as a share of the greatest."""
    replay: float = Field(0.5, ge=0, lt=1)
    """The share of a step's problems that may come from the queue."""
    queue: int = Field(256, ge=1)
    """How many problems wait in it at the most; the oldest leave first."""

    def choose(self, examples: Sequence[Example], count: int, rng: Random, store: Store) -> list[int]:
        waiting = store.get(self.kind, "queue", [])
        again, left = waiting[: int(self.replay * count)], waiting[int(self.replay * count) :]
        store.put(self.kind, "queue", left)
        place = {example.id: number for number, example in enumerate(examples)}
        return [place[id] for id in again] + in_turn(len(examples), count - len(again), rng, store)

    def keep(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        return 4 * batch.pass_rate * (1 - batch.pass_rate) >= self.least_variance

    def observe(self, batch: Batch, advantages: Tensor, store: Store) -> None:
        waiting = dict.fromkeys(store.get(self.kind, "queue", []))
        for example, graded, correct in graded_groups(batch):
            rate = correct / graded
            if 4 * rate * (1 - rate) >= self.least_variance:
                waiting.setdefault(example.id)
        store.put(self.kind, "queue", list(waiting)[-self.queue :])

    def metrics(self, store: Store) -> dict[str, float]:
        return {"queue": float(len(store.get(self.kind, "queue", [])))}
