"""Learns from the groups that are all correct or all incorrect too, where an estimator that compares finds nothing.

Why: RL with zero-variance prompts (arXiv 2509.21880): such a group still says that its completions are good, or that
they are not; how unsure each token was says where that matters.
Formula: H_t the entropy of token t in nats. Group all correct: A_t = alpha · H_t. All incorrect: A_t = −alpha · (H_max
− H_t), H_max the highest of the completion; tokens of a truncated completion: 0, else length itself would be punished.
Every other group, and one with a rollout that cannot be graded, stays as it is.
Not checked against the paper: how large alpha may be; 0.1 to 0.2 are recollected.
Reward hacking: there is no baseline: a problem that is always solved is pushed further at each visit, most where it was
unsure, so entropy falls on what is known already. Where all is incorrect, every token but the most unsure is unlearnt.
Example: `advantage: [{kind: grpo}, {kind: rl_zvp}]`
"""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class RlZvp(Advantage):
    """Gives groups that are all correct or all incorrect advantages by the entropy of each token."""

    role: ClassVar[str] = "shaper"
    has_baseline: ClassVar[bool] = False
    reads_gold: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"entropy"})

    kind: Literal["rl_zvp"] = "rl_zvp"
    alpha: float = Field(0.1, ge=0)
    """Advantage of a token for each nat of its entropy, in groups that are all correct or all incorrect."""

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        correct_P_G = batch.in_groups(batch.correct)
        solved, unsolved = (batch.in_rows((correct_P_G == side).all(dim=1, keepdim=True)) for side in (1, 0))
        below = batch.entropy - batch.entropy.amax(dim=1, keepdim=True)
        below = below.where(~batch.truncated[:, None], 0.0)
        found = batch.over_tokens(advantages)
        found = found.where(~solved[:, None], self.alpha * batch.entropy)
        found = found.where(~unsolved[:, None], self.alpha * below)
        return batch.over_tokens(found)

    def caveats(self, run) -> Iterator[str]:
        yield from super().caveats(run)
        dropping = [sampler.kind for sampler in run.samplers if sampler.drops_even_groups]
        if dropping:
            yield f"sampler {dropping[0]} leaves out the groups that advantage {self.kind} is for; leave one out"
