"""Has the policy refine its answers after a critique, and puts the best refinement into the group.

Why: Critique-GRPO (arXiv 2506.03106): a number does not say where an answer fails; told that it is incorrect, and what
the answer is, the policy can often mend it, and learn from that without a teacher's trace.
Formula: of a group of G the policy answers G − 1 times; each answer is shown to it again with a critique, by rule:
correct or not, and the gold answer. Of the G − 1 refinements the first correct one, else the first that has ended,
else the first, is the group's last rollout, as an answer to the plain problem. Each of its tokens counts A·γ·π/(π +
γ)², as LUFFY's, γ = 0.1; A is its reward less the mean of the whole group: `advantage: {kind: dr_grpo}`.
Not here: critiques that a teacher writes.
How it fails: who is told the answer need not reason; a refinement can be the gold answer behind any words.
Example: `rollouts: {kind: critique_grpo}` with `advantage: {kind: dr_grpo}` and `trainer: grpo`
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.rollouts._demonstrations import favour_unlikely
from tinyreason.algorithms.rollouts._rollout_plan import Policy, Rollout, RolloutPlan, in_groups
from tinyreason.grading.answers import gold_text
from tinyreason.rollout import Batch
from tinyreason.tensors import Tensor

REFINED = "refinement"
"""Source of a rollout that was sampled with an attempt and its critique in the prompt."""
CRITIQUE = (
    "That is {verdict}. The correct answer is {answer}. Solve the problem again, and show how to find the answer."
)
"""Not the paper's words."""


class CritiqueGrpo(RolloutPlan):
    """Puts into each group a refinement that the policy made of an answer of its own and a critique of that."""

    one_update: ClassVar[bool] = True
    reads_gold: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"logp"})

    kind: Literal["critique_grpo"] = "critique_grpo"
    gamma: float = Field(0.1, gt=0)
    """Probability below which a token of a refinement counts less and less."""

    def roll(self, rollouts: Sequence[Rollout], policy: Policy) -> None:
        groups = in_groups(rollouts, policy.group_size)
        first = [one for group in groups for one in group[:-1]]
        policy.sample(first)
        refined = [Rollout(one.example, one.prompt) for one in first]
        policy.sample(
            refined, [self.asked(one, ok, policy) for one, ok in zip(first, policy.grade(first), strict=True)]
        )
        ranks = [(bool(ok), policy.has_ended(one)) for one, ok in zip(refined, policy.grade(refined), strict=True)]
        ranked = in_groups(list(zip(ranks, refined, strict=True)), policy.group_size - 1)
        for group, found in zip(groups, ranked, strict=True):
            group[-1].become(max(found, key=lambda one: one[0])[1].tokens, REFINED)

    def asked(self, rollout: Rollout, correct: bool | None, policy: Policy) -> list[int]:
        """Returns what the policy reads before it refines an answer."""
        verdict = "correct" if correct else "incorrect"
        critique = CRITIQUE.format(verdict=verdict, answer=gold_text(rollout.example.answer))
        return policy.prompt(rollout.example, turns=[policy.text(rollout), critique])

    def weigh(self, batch: Batch, advantages: Tensor) -> Tensor:
        return favour_unlikely(batch, advantages, REFINED, self.gamma)
