"""Holds what every advantage shares: its place in the chain, and how the chain is worked through."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from tinyreason.rollout import Batch
from tinyreason.schema import Schema
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class Advantage(Schema):
    """Says how much each rollout is better than expected (an estimator), or changes what another said (a shaper)."""

    role: ClassVar[Literal["estimator", "shaper", "either"]] = "estimator"
    divides_by_std: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()  # of {"logp", "entropy"}: what of the sampled tokens it reads

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        """Returns (N,) or (N, T); a shaper is given what the one before it returned."""
        raise NotImplementedError


def estimate(chain: Sequence[Advantage], batch: Batch, advantages: Tensor, store: Store) -> Tensor:
    """Returns (N,) or (N, T): what the estimator says, shaped by each that follows it."""
    for advantage in chain:
        advantages = advantage(batch, advantages, store)
    return advantages


def check_advantages(chain: Sequence[Advantage]) -> None:
    """Raises `ValueError`, one sentence, where it is not one estimator with shapers behind it."""
    kinds = " + ".join(advantage.kind for advantage in chain)
    first, *others = chain
    if first.role == "shaper":
        raise ValueError(
            f"advantage {kinds}: {first.kind} changes what an estimator says; put one before it, as "
            f"advantage: [{{kind: grpo}}, {{kind: {first.kind}}}]"
        )
    for other in others:
        if other.role == "estimator":
            raise ValueError(f"advantage {kinds}: {first.kind} and {other.kind} are two estimators; keep one")
    if len({advantage.kind for advantage in chain}) < len(chain):
        raise ValueError(f"advantage {kinds} names one twice; keep one of them")
