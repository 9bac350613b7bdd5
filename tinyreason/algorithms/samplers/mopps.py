"""Asks the problems that are believed to be solved half of the time, by a Beta belief about each.

Why: MoPPS (arXiv 2507.04632): a posterior over each problem's success, sampled from, costs no rollouts.
Formula: prior Beta(1, 1). Of 8 times as many candidates as are needed, each gets s ~ Beta(a, b), and the n with the
least (s − 0.5)² are asked. Then a ← λa + (1 − λ) + correct rollouts, and b likewise with incorrect ones; λ = 0.5.
How it fails: in few visits it knows little; a problem that is guessed half of the time looks learnable for good.
Example: `samplers: [{kind: mopps}]`
"""

from collections.abc import Sequence
from random import Random
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.samplers._sampler import Sampler, graded_groups
from tinyreason.example import Example
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor

CANDIDATES = 8
PRIOR = (1.0, 1.0)


class Mopps(Sampler):
    """Asks problems whose sampled chance of success is nearest to a target."""

    needs_history: ClassVar[bool] = True
    reads_gold: ClassVar[bool] = True
    least_visits: ClassVar[int] = 4

    kind: Literal["mopps"] = "mopps"
    target: float = Field(0.5, gt=0, lt=1)
    """The share of correct rollouts that teaches most."""
    memory: float = Field(0.5, ge=0, le=1)
    """λ, how much of an earlier belief remains at each visit; 1 = all of it."""

    def choose(self, examples: Sequence[Example], count: int, rng: Random, store: Store) -> list[int]:
        candidates = rng.sample(range(len(examples)), min(CANDIDATES * count, len(examples)))
        away = {n: (rng.betavariate(*self.belief(examples[n].id, store)) - self.target) ** 2 for n in candidates}
        nearest = sorted(candidates, key=away.__getitem__)
        return [nearest[place % len(nearest)] for place in range(count)]

    def observe(self, batch: Batch, advantages: Tensor, store: Store) -> None:
        for example, graded, correct in graded_groups(batch):
            a, b = self.belief(example.id, store)
            kept, prior = self.memory, 1 - self.memory
            store.put(self.kind, example.id, [kept * a + prior + correct, kept * b + prior + graded - correct])

    def belief(self, problem: str, store: Store) -> tuple[float, float]:
        """Returns (a, b) of the Beta distribution over a problem's chance of success."""
        return tuple(store.get(self.kind, problem, PRIOR))

    def metrics(self, store: Store) -> dict[str, float]:
        known = [a / (a + b) for a, b in store.state.get(self.kind, {}).values()]
        return {"p_mean": sum(known) / len(known)} if known else {}
