"""A right answer earns the more the shorter it is among the group's right ones, on an exponential; a wrong one −1.

Why: GRPO-LEAD (arXiv 2504.09696). Its other half, a weight by difficulty, is `advantage: {kind: grpo_lead}`.
Formula: right: exp(−α·z), z = (L − mean)/std over the group's right answers (std of a sample, as released), α = 0.05,
1 unless the group's three shortest replies are longer than `from_tokens` on average; wrong: −1, or −2 where the reply
ends in a loop. It holds correctness already; it stands alone.
How it can be gamed: z is relative, so lucky short answers keep gaining in groups that are all short already.
Example: `rewards: [{kind: grpo_lead}]`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.rewards._loop import loop_start
from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class GrpoLead(Reward):
    """exp(−α·z) of the length for a right answer, −1 for a wrong one, −2 for a wrong one in a loop."""

    reads_length: ClassVar[bool] = True

    kind: Literal["grpo_lead"] = "grpo_lead"
    alpha: float = Field(0.05, ge=0)
    """α, how steeply length counts"""
    from_tokens: int = Field(4000, ge=0)
    """length counts in groups whose three shortest replies are longer than this on average"""

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        away, std = batch.deviations(batch.correct_lengths_P_G)
        shortest = batch.lengths_P_G.sort(dim=1).values[:, :3].mean(dim=1, keepdim=True)
        score = (away / std).where((std > 0) & (shortest > self.from_tokens), 0.0)
        loops = batch.correct.new_tensor([loop_start(ids) < len(ids) for ids in batch.ids])
        earned = (-self.alpha * score).exp().view(-1).where(batch.correct == 1, -1 - loops)
        return batch.where_graded(earned)
