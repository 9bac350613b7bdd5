"""Takes from correctness a price a token, the higher the more of the group is correct.

Why: ALP, adaptive length penalty (Just Enough Thinking, arXiv 2506.05256): spend tokens where the problem is hard.
Formula: c − (β/N)·L·max(p, 1/G), p the group's share of correct answers, β = 1e-7, N a constant that the length is
divided by. So small a β acts only through an advantage that divides by the group's standard deviation (`advantage:
{kind: grpo}`), which then sets its size, not β; with `dr_grpo` give β what length shall be worth and N the completion
limit. It holds correctness already; it stands alone.
Translated: the paper's N has no value that we know, so it is 1 here unless `normalizer` gives it.
Reward hacking: incorrect answers are cheaper when short, so giving up at once pays where the model is mostly incorrect.
Example: `rewards: [{kind: alp_length, beta: 1e-5}]`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class AlpLength(Reward):
    """Takes from correctness β/N for each token, times the group's share of correct answers."""

    reads_length: ClassVar[bool] = True

    kind: Literal["alp_length"] = "alp_length"
    beta: float = Field(1e-7, gt=0)
    """β, what N tokens cost in a group that is all correct."""
    normalizer: float = Field(1.0, gt=0)
    """N, the tokens that lengths are divided by."""

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        rate = batch.pass_rate.clamp(min=1 / batch.group_size)
        return batch.correct - self.beta * (batch.length / self.normalizer) * rate
