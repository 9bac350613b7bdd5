"""Holds what every reward shares: how it counts in the sum (weight, gate, clip, anneal), and how the sum is made."""

from collections.abc import Sequence
from typing import ClassVar, Self

from pydantic import Field, model_validator

from tinyreason.errors import nearest
from tinyreason.rollout import Batch
from tinyreason.schema import Schema
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class Anneal(Schema):
    """Multiplies the weight by a factor that moves in a straight line over the first steps, and then stays."""

    start: float = Field(ge=0)
    """Factor at the first step."""
    end: float = Field(ge=0)
    """Factor from step `steps` on."""
    steps: int = Field(ge=2)
    """Number of steps it takes."""

    def factor(self, step: int) -> float:
        """Returns the factor at a step, 1, 2, …"""
        done = min(max(step - 1, 0) / (self.steps - 1), 1.0)
        return self.start + (self.end - self.start) * done


class Reward(Schema):
    """Counts in the sum of the rewards as weight · anneal(step) · clip(value), where its gate is open."""

    reads_length: ClassVar[bool] = False  # whether it tells long from short among correct answers
    tells_correct_apart: ClassVar[bool] = False  # whether it pays correct answers differently by something else
    needs_history: ClassVar[bool] = False  # whether it compares a problem with its own earlier visits
    asks_for_tokens: ClassVar[bool] = False  # whether the prompt names its length target
    reads_gold: ClassVar[bool] = True  # whether it knows the gold answer, or what was graded by it
    asks_for: ClassVar[str | None] = None  # the prompt that asks for the form that it wants
    needs_rollouts: ClassVar[str | None] = None  # the plan of rollouts whose facts it reads
    needs: ClassVar[frozenset[str]] = frozenset()  # of {"logp", "entropy", "ref_logp"}: what of the tokens it reads

    weight: float = 1.0
    """How much it counts in the sum of the rewards."""
    gate: str | None = None
    """Kind of another reward of the list: this one counts only where that one is above 0."""
    clip: tuple[float, float] | None = None
    """[lowest, highest]: its values are held inside before they are weighted."""
    anneal: Anneal | None = None
    """Factor on the weight that moves over the first steps; null = always 1."""

    @model_validator(mode="after")
    def clip_has_a_middle(self) -> Self:
        if self.clip and self.clip[0] >= self.clip[1]:
            raise ValueError(f"clip={list(self.clip)} leaves nothing; give [lowest, highest]")
        return self

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        """Returns (N,) one number a rollout; nan where it cannot grade."""
        raise NotImplementedError

    @property
    def ever_counts(self) -> bool:
        """Returns whether its weight is above 0 at any step."""
        return self.weight > 0 and (self.anneal is None or max(self.anneal.start, self.anneal.end) > 0)

    def weight_at(self, step: int) -> float:
        """Returns the weight, annealed."""
        return self.weight * (self.anneal.factor(step) if self.anneal else 1.0)


def weigh(rewards: Sequence[Reward], batch: Batch, store: Store) -> dict[str, Tensor]:
    """Returns {kind: (N,) its values as they are}, and writes into the batch what counts of them, and the sum.

    The sum is nan where no reward could grade. Where nothing is rewarded it is whether a completion is correct.
    """
    import torch

    if not rewards:
        batch.reward = batch.correct
        return {}

    values = {reward.kind: reward(batch, store) for reward in rewards}
    for reward in rewards:
        counts = values[reward.kind]
        if reward.clip:
            counts = counts.clamp(*reward.clip)
        if reward.gate:
            opener = values[reward.gate]
            counts = counts.where(opener > 0, 0.0).where(~opener.isnan(), torch.nan)
        batch.values[reward.kind], batch.weights[reward.kind] = counts, reward.weight_at(batch.step)
    terms_K_N = torch.stack([batch.values[kind] * weight for kind, weight in batch.weights.items()])
    batch.reward = terms_K_N.nansum(dim=0)
    batch.reward[terms_K_N.isnan().all(dim=0)] = torch.nan
    return values


def check_fits(option: str, tokens: int | None, run) -> None:
    """Raises `ValueError` where a completion of the run can never have the `tokens` that a reward was given."""
    if tokens and tokens > run.train.tightest_limit:
        raise ValueError(
            f"{option}={tokens} is longer than the {run.train.tightest_limit} tokens that train.max_completion_tokens "
            f"or train.thinkprune leave a completion; give that or less"
        )


def check_rewards(rewards: Sequence[Reward]) -> None:
    """Raises `ValueError`, one sentence, where the rewards of a list contradict each other."""
    kinds = [reward.kind for reward in rewards]
    for number, reward in enumerate(rewards):
        place = f"rewards.{number}"
        if reward.weight < 0:
            raise ValueError(
                f"{place}.weight={reward.weight:g} would pay for the contrary of {reward.kind}; give 0 or more"
            )
        if kinds.index(reward.kind) < number:
            raise ValueError(f"{place} is {reward.kind} again, and two weights for it contradict each other; keep one")
        if reward.gate and (reward.gate == reward.kind or reward.gate not in kinds):
            others = [kind for kind in kinds if kind != reward.kind]
            raise ValueError(
                f"{place}.gate={reward.gate} is not another reward of the list{nearest(reward.gate, others)}"
            )
    if rewards and not any(reward.ever_counts for reward in rewards):
        raise ValueError("the weights of all rewards are 0, so there is nothing to learn; give one above 0")
    asking = [reward.kind for reward in rewards if reward.asks_for_tokens]
    if len(asking) > 1:
        raise ValueError(f"{' and '.join(asking)} would both name a length in the prompt; keep one")
