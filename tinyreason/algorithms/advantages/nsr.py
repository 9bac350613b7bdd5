"""Makes incorrect completions less likely, and correct ones hardly more likely.

Why: what incorrect completions lose goes to all others in the model's own proportions, so that it still finds several:
negative sample reinforcement and W-REINFORCE (arXiv 2506.01347).
Formula: A_i = −1 where the answer is incorrect, +positive_weight where it is correct: 0.1 is W-REINFORCE, 0 is NSR.
There is no baseline: a group of which all are incorrect is made less likely too. It reads correctness alone, never the
shaped reward: length and format rewards change nothing. Rollouts that cannot be graded get 0.
Reward hacking: nothing says what to do, only what not: where nearly all is incorrect the model is pushed away from all
it says, format and language first. Start from one that is often correct, with a KL penalty or few steps.
Example: `advantage: {kind: nsr}`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class Nsr(Advantage):
    """Takes −1 for an incorrect completion, and a small weight for a correct one."""

    has_baseline: ClassVar[bool] = False
    reads_correctness_alone: ClassVar[bool] = True
    reads_gold: ClassVar[bool] = True

    kind: Literal["nsr"] = "nsr"
    positive_weight: float = Field(0.1, ge=0)
    """Advantage of a correct completion; 0 = only incorrect ones are trained on."""

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        return (batch.correct * (1 + self.positive_weight) - 1).nan_to_num(0.0)
