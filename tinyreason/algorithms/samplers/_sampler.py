"""Holds what every sampler shares: the four things it may decide, and how several stand together."""

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import ClassVar

from tinyreason.example import Example
from tinyreason.own_code.leaf import OwnLeaf
from tinyreason.rollout import Batch
from tinyreason.schema import Schema
from tinyreason.store import Store
from tinyreason.tensors import Tensor

DECISIONS = ("choose", "keep", "observe", "temperature", "metrics")
"""What a sampler may decide or do, each a method of that name."""


class Sampler(Schema):
    """Decides which problems a step asks, which rollouts it trains on, or how warm the next are; learns from all."""

    needs: ClassVar[frozenset[str]] = frozenset()  # of {"logp", "entropy", "ref_logp"}: what of the tokens it reads
    reads_gold: ClassVar[bool] = False  # whether it goes by what is correct
    needs_history: ClassVar[bool] = False  # whether it learns from a problem's earlier visits
    least_visits: ClassVar[int] = 0  # so many to each problem, on average, before it knows enough to be of use
    drops_solved: ClassVar[bool] = False  # whether a problem that is solved does not come back
    drops_even_groups: ClassVar[bool] = False  # whether groups that are all correct or all incorrect are not kept

    def decisions(self) -> list[str]:
        """Returns the names of the methods below that it has of its own."""
        return [name for name in DECISIONS if getattr(type(self), name) is not getattr(Sampler, name)]

    def check_examples(self, examples: Sequence[Example], path: str) -> None:
        """Raises `ValueError`, one sentence, where the problems lack what it goes by."""

    def choose(self, examples: Sequence[Example], count: int, rng: Random, store: Store) -> list[int]:
        """Returns the numbers of the `count` problems that the step asks."""
        return in_turn(len(examples), count, rng, store)

    def keep(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        """Returns (N,) bool, which rollouts are worth training on."""
        raise NotImplementedError

    def observe(self, batch: Batch, advantages: Tensor, store: Store) -> None:
        """Learns from a batch, the rollouts that are not trained on among it."""

    def temperature(self, now: float, batch: Batch, store: Store) -> float:
        """Returns the temperature of the next rollouts."""
        return now

    def metrics(self, store: Store) -> dict[str, float]:
        """Returns what is worth following of what it knows, by name."""
        return {}


def that_decide(samplers: Sequence[Sampler], what: str) -> list[Sampler]:
    """Returns those of the samplers that have a method `what` of their own."""
    return [sampler for sampler in samplers if what in sampler.decisions()]


def in_turn(
    problems: int, count: int, rng: Random, store: Store, is_skipped: Callable[[int], bool] = lambda _: False
) -> list[int]:
    """Returns the next `count` problems of an order that is shuffled anew when it is through; some may be skipped.

    Where a thousand are skipped one after the other, the next is taken.
    """
    order, found, skipped = store.get("in_turn", "order", []), [], 0
    while len(found) < count:
        if not order:
            order = rng.sample(range(problems), problems)
        number = order.pop()
        if is_skipped(number) and skipped < 1000:
            skipped += 1
            continue
        found.append(number)
        skipped = 0
    store.put("in_turn", "order", order)
    return found


def rows_by_problem(batch: Batch) -> Iterator[tuple[Example, slice]]:
    """Yields (problem, its rows) for each group of a batch."""
    for first in range(0, len(batch.examples), batch.group_size):
        yield batch.examples[first], slice(first, first + batch.group_size)


def graded_groups(batch: Batch) -> Iterator[tuple[Example, int, int]]:
    """Yields (problem, how many of its rollouts could be graded, how many are correct), where any could be."""
    for example, rows in rows_by_problem(batch):
        verdicts = [value for value in batch.correct[rows].tolist() if value == value]
        if verdicts:
            yield example, len(verdicts), int(sum(verdicts))


def check_samplers(samplers: Sequence[Sampler], run) -> None:
    """Raises `ValueError`, one sentence, where they contradict each other or the rest of the run's config."""
    kinds = [sampler.kind for sampler in samplers]
    if len(set(kinds)) < len(kinds):
        raise ValueError(f"samplers {', '.join(kinds)} name one twice; keep one of them")
    if not any(isinstance(sampler, OwnLeaf) for sampler in samplers):  # what those decide, their code alone knows
        check_decisions(samplers, run)
    remembering = [reward.kind for reward in run.rewards if reward.needs_history]
    for sampler in samplers:
        if sampler.drops_solved and remembering:
            raise ValueError(
                f"reward {remembering[0]} compares a problem with its earlier visits, and with sampler {sampler.kind} "
                f"a solved one does not come back; leave one of them out"
            )


def check_decisions(samplers: Sequence[Sampler], run) -> None:
    """Raises `ValueError`, one sentence, where two decide the same, or nothing needs what one decides.

    It runs code of the person's own, where a sampler is that.
    """
    choosing = [sampler.kind for sampler in that_decide(samplers, "choose")]
    for what, named in (
        ("which problems are asked", choosing),
        ("the temperature", [sampler.kind for sampler in that_decide(samplers, "temperature")]),
    ):
        if len(named) > 1:
            raise ValueError(f"samplers {' and '.join(named)} both decide {what}; keep one")
    if choosing and run.data.is_one_prompt:
        raise ValueError(f"sampler {choosing[0]} chooses among problems, and data.kind={run.data.kind} has only one")
    if run.train.oversample > 1 and not that_decide(samplers, "keep"):
        raise ValueError(
            f"train.oversample={run.train.oversample:g} samples more rollouts than are trained on, and no sampler says "
            f"which; add one, as samplers=[{{kind: dynamic_sampling}}]"
        )
