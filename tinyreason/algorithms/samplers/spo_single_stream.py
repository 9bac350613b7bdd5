"""Asks the problems of whose outcome advantage `spo_single_stream` is least certain.

Why: the prioritised sampling of SPO (arXiv 2509.13232): what is always or never solved teaches little.
Formula: a problem's weight is √(v(1 − v)) + 0.05, v the chance that the advantage believes in; problems are chosen by
weight, none twice in a step unless there are too few.
How it fails: a belief is as old as the problem's last visit; what was given up as hopeless is asked a tenth as often.
Example: `samplers: [{kind: spo_single_stream}]` with `advantage: {kind: spo_single_stream}`
"""

from collections.abc import Sequence
from random import Random
from typing import ClassVar, Literal

from tinyreason.algorithms._belief import OWNER, chance
from tinyreason.algorithms.samplers._sampler import Sampler
from tinyreason.example import Example
from tinyreason.store import Store

LEAST_WEIGHT = 0.05


class SpoSingleStream(Sampler):
    """Asks problems the more often the less certain their outcome is believed to be."""

    needs_history: ClassVar[bool] = True
    least_visits: ClassVar[int] = 4

    kind: Literal["spo_single_stream"] = "spo_single_stream"

    def check(self, run, path: str) -> None:
        if not any(advantage.kind == OWNER for advantage in run.advantages):
            raise ValueError(
                f"{path}: sampler {self.kind} goes by what advantage {OWNER} believes; type advantage.kind={OWNER}"
            )

    def choose(self, examples: Sequence[Example], count: int, rng: Random, store: Store) -> list[int]:
        whole, rest = divmod(count, len(examples))
        chances = [chance(example, store) for example in examples]
        keys = [rng.random() ** (1 / ((v * (1 - v)) ** 0.5 + LEAST_WEIGHT)) for v in chances]
        order = sorted(range(len(examples)), key=lambda number: -keys[number])
        return whole * list(range(len(examples))) + order[:rest]

    def metrics(self, store: Store) -> dict[str, float]:
        known = [a / (a + b) for a, b in store.state.get(OWNER, {}).values()]
        return {"p_mean": sum(known) / len(known)} if known else {}
