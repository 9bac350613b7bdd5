"""Skips a problem the more surely the more often in a row all of its rollouts were correct, or none was.

Why: GRESO (arXiv 2506.02177): a problem whose group taught nothing at the last visits will most likely teach nothing at
the next, and need not be sampled to know it.
Formula: z = visits in a row with a share of correct rollouts ≥ 0.98 (easy) or ≤ 0.11 (hard); any other visit sets it
to 0. The problem is skipped with probability 1 − max(q^z, 0.01). q_easy and q_hard begin at 0.5 and move by 0.01 after
each step, down where more than 1/12 (easy) or 1/6 (hard) of the groups were such, else up; inside [0.05, 0.95].
How it fails: it learns from problems that come back; with fewer than a few visits each it is sampling in turn.
Example: `samplers: [{kind: greso_skip}]`
"""

from collections.abc import Sequence
from random import Random
from typing import ClassVar, Literal

from tinyreason.algorithms.samplers._sampler import Sampler, graded_groups, in_turn
from tinyreason.example import Example
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor

EASY_FROM, HARD_TO = 0.98, 0.11
LEAST_ASKED = 0.01
TARGETS = {"easy": 0.25 / 3, "hard": 0.25 * 2 / 3}
"""Share of the groups that may teach nothing."""
STEP, LOWEST, HIGHEST = 0.01, 0.05, 0.95


class GresoSkip(Sampler):
    """Skips problems that lately taught nothing, each time with a probability."""

    needs_history: ClassVar[bool] = True
    reads_gold: ClassVar[bool] = True
    least_visits: ClassVar[int] = 4

    kind: Literal["greso_skip"] = "greso_skip"

    def choose(self, examples: Sequence[Example], count: int, rng: Random, store: Store) -> list[int]:
        skipped = 0

        def is_skipped(number: int) -> bool:
            nonlocal skipped
            kind, visits = store.get(self.kind, f"visits {examples[number].id}", ["", 0])
            skips = bool(visits) and rng.random() < skip_probability(self.q(kind, store), visits)
            skipped += skips
            return skips

        found = in_turn(len(examples), count, rng, store, is_skipped)
        store.put(self.kind, "skipped", skipped)
        return found

    def observe(self, batch: Batch, advantages: Tensor, store: Store) -> None:
        seen = {"easy": 0, "hard": 0}
        count = 0
        for example, graded, correct in graded_groups(batch):
            rate, count = correct / graded, count + 1
            kind = "easy" if rate >= EASY_FROM else "hard" if rate <= HARD_TO else ""
            before, visits = store.get(self.kind, f"visits {example.id}", ["", 0])
            store.put(self.kind, f"visits {example.id}", [kind, (visits if kind == before else 0) + 1 if kind else 0])
            if kind:
                seen[kind] += 1
        for kind, target in TARGETS.items() if count else ():
            moved = self.q(kind, store) + (-STEP if seen[kind] / count > target else STEP)
            store.put(self.kind, f"q {kind}", min(max(moved, LOWEST), HIGHEST))

    def q(self, kind: str, store: Store) -> float:
        """Returns the base of the probability with which a problem of this kind is asked all the same."""
        return store.get(self.kind, f"q {kind}", 0.5)

    def metrics(self, store: Store) -> dict[str, float]:
        skipped = {"skipped": float(store.get(self.kind, "skipped", 0))}
        return skipped | {f"q_{kind}": self.q(kind, store) for kind in TARGETS}


def skip_probability(q: float, visits: int) -> float:
    """Returns with what probability a problem is skipped after so many visits in a row that taught nothing."""
    return 1 - max(q**visits, LEAST_ASKED) if visits else 0.0
