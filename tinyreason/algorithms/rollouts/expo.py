"""Where no rollout is correct, has the policy explain the gold answer, and learns a little from the explanation.

Why: ExPO (arXiv 2507.02834): an explanation in the policy's own words is nearer to what it can learn than anybody's
solution, and needs none in the data.
Formula: for a problem whose rollouts are all incorrect the policy is shown the gold answer and asked for a solution; it
takes the place of one rollout, outside the group's statistics, and each of its tokens counts `weight`, as an answer to
the plain problem. The paper's 0.04; it found 0.5 to hurt.
Not from the paper: an explanation that does not end in the gold answer is left out.
How it fails: an explanation that reasons towards a given answer can be a bad proof of it.
Example: `rollouts: {kind: expo}` with `trainer: grpo`; any data with gold answers
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.rollouts._rollout_plan import Policy, Rollout, RolloutPlan, from_source, unsolved_groups
from tinyreason.grading.answers import gold_text
from tinyreason.rollout import Batch
from tinyreason.tensors import Tensor

EXPLANATION = "explanation"
"""Source of a rollout that was sampled with the gold answer in the prompt."""
SHOWN = "\n\nThe correct answer is {answer}. Show how to find it, and end with it."
"""Not the paper's words."""


class Expo(RolloutPlan):
    """Learns from the policy's own explanation of the gold answer where no rollout of a group is correct."""

    one_update: ClassVar[bool] = True
    reads_gold: ClassVar[bool] = True

    kind: Literal["expo"] = "expo"
    weight: float = Field(0.04, gt=0)
    """What each token of an explanation counts, where a rollout's counts its advantage."""

    def roll(self, rollouts: Sequence[Rollout], policy: Policy) -> None:
        policy.sample(rollouts)
        unsolved = [group[-1] for group in unsolved_groups(rollouts, policy)]
        tries = [Rollout(one.example, one.prompt, source=EXPLANATION, is_compared=False) for one in unsolved]
        asked = [policy.prompt(one.example, SHOWN.format(answer=gold_text(one.example.answer))) for one in unsolved]
        policy.sample(tries, asked)
        for rollout, explained, correct in zip(unsolved, tries, policy.grade(tries), strict=True):
            if correct:
                rollout.become(explained.tokens, EXPLANATION)
                rollout.is_compared = False

    def weigh(self, batch: Batch, advantages: Tensor) -> Tensor:
        explained = from_source(batch, EXPLANATION)
        return advantages.where(~(explained if advantages.dim() == 1 else explained[:, None]), self.weight)
