"""Holds what every advantage shares: its place in the chain, and how the chain is worked through."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from tinyreason.errors import ConfigError
from tinyreason.rollout import Batch
from tinyreason.schema import Schema
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class Advantage(Schema):
    """Says how much each rollout is better than expected (an estimator), or changes what another said (a shaper)."""

    role: ClassVar[Literal["estimator", "shaper", "either"]] = "estimator"
    divides_by_std: ClassVar[bool] = False  # whether what alone differs in a group becomes large
    of_group_alone: ClassVar[bool] = True  # whether no other group of the batch changes a group's advantages
    has_baseline: ClassVar[bool] = True  # whether a group whose rewards are all equal gets 0
    reads_correctness_alone: ClassVar[bool] = False  # whether it never looks at the rewards
    reads_gold: ClassVar[bool] = False  # whether it looks at what is correct, beside the rewards or in their place
    one_update: ClassVar[bool] = False  # whether it holds only for rollouts that are trained on once
    needs_rollouts: ClassVar[str | None] = None  # the plan of rollouts whose facts it reads
    needs: ClassVar[frozenset[str]] = frozenset()  # of {"logp", "entropy", "ref_logp"}: what of the tokens it reads
    needs_history: ClassVar[bool] = False  # whether it compares a problem with its own earlier visits
    published_loss: ClassVar[str | None] = None  # the loss with which it is what was published, where only one is

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        """Returns (N,) or (N, T); a shaper is given what the one before it returned."""
        raise NotImplementedError

    def caveats(self, run) -> Iterator[str]:
        """Yields what is known to come of it with the run's other options, a sentence each."""
        idle = [reward.kind for reward in run.rewards if reward.kind != "correctness"]
        if self.reads_correctness_alone and idle:
            changes = "changes" if len(idle) == 1 else "change"
            yield f"advantage {self.kind} looks at correctness alone: reward {' and '.join(idle)} {changes} nothing"
        if self.published_loss not in (None, run.train.loss):
            yield (
                f"advantage {self.kind} is the published method with train.loss={self.published_loss}; "
                f"{run.train.loss} weighs rollouts by their length"
            )


def estimate(chain: Sequence[Advantage], batch: Batch, advantages: Tensor, store: Store) -> Tensor:
    """Returns (N,) or (N, T): what the estimator says, shaped by each that follows it; 0 where there is none."""
    if not chain:
        return advantages.new_zeros(advantages.shape)
    for advantage in chain:
        advantages = advantage(batch, advantages, store)
    return advantages


def check_level(advantages: Tensor, run) -> None:
    """Refuses an advantage for each token where rollouts are weighed whole. Errors: `ConfigError`."""
    if advantages.dim() == 2 and run.train.importance_sampling_level == "sequence":
        raise ConfigError(
            f"advantage {run.compared_by} has one for each token, and under train.importance_sampling_level=sequence "
            f"each would count for the whole rollout; type train.importance_sampling_level=token train.loss=grpo, or "
            f"return one for each rollout."
        )


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
