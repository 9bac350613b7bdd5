"""Tells the policy that an answer is incorrect, and lets it try again; only its last attempt is graded.

Why: multi-attempt RL (arXiv 2503.04808) teaches to learn from one's own mistakes, where a single try is only correct
or not; UFO (arXiv 2507.14295) does so with nothing but "try again".
Formula: a problem has N attempts, N uniform from `least` to `most`, the same for its group. After an incorrect answer
`feedback` follows as the user's turn, on which nobody is trained, and the policy goes again, until an attempt is
correct, N are made, one is truncated, or `train.max_completion_tokens`, which hold for all attempts together, leave no
room. All attempts are trained on as one rollout. With it belongs the reward `multi_attempt`, or, with `least: 5`,
`ufo_retry`.
Not from the papers: both update by PPO; here any advantage does.
How it fails: being told costs nothing, so a guess may stand where thought was; the evaluation asks once and shows it.
Example: `rollouts: {kind: multi_attempt}` with `rewards: [{kind: multi_attempt}]` and `trainer: grpo`
"""

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from tinyreason.algorithms.rollouts._rollout_plan import Policy, Rollout, RolloutPlan

RETRY = "retry"
"""Source of a rollout whose graded turn is a later attempt."""


class MultiAttempt(RolloutPlan):
    """Lets the policy try again after an incorrect answer, up to a number of attempts."""

    reads_gold: ClassVar[bool] = True

    kind: Literal["multi_attempt"] = "multi_attempt"
    least: int = Field(1, ge=1)
    """Fewest attempts that a problem may have."""
    most: int = Field(5, ge=1)
    """Most attempts that a problem may have."""
    feedback: str = Field("Incorrect. Try again.", min_length=1)
    """What the policy is told after an incorrect answer. Not the papers' words."""

    @model_validator(mode="after")
    def least_is_the_smaller(self) -> Self:
        if self.least > self.most:
            raise ValueError(f"least={self.least} is above most={self.most}; raise most")
        return self

    def roll(self, rollouts: Sequence[Rollout], policy: Policy) -> None:
        groups = len(rollouts) // policy.group_size
        allowed = [policy.rng.randint(self.least, self.most) for _ in range(groups)]
        trying = [(one, allowed[place // policy.group_size]) for place, one in enumerate(rollouts)]
        while trying:
            policy.sample([one for one, _ in trying])
            for one, _ in trying:
                one.facts.setdefault("answers", []).append(policy.answer(one))
            verdicts = policy.grade([one for one, _ in trying])
            trying = [
                (one, most)
                for (one, most), correct in zip(trying, verdicts, strict=True)
                if correct is False and len(one.facts["answers"]) < most and self.is_told(one, policy)
            ]

    def is_told(self, rollout: Rollout, policy: Policy) -> bool:
        """Puts the feedback behind a rollout and returns true, where it has ended and there is room for an answer."""
        told = policy.feedback(rollout.example, self.feedback)
        if not policy.has_ended(rollout) or len(rollout.tokens) + len(told) >= policy.limit:
            return False
        rollout.add(told, is_trained=False)
        rollout.answered_from, rollout.source = len(rollout.tokens), RETRY
        return True
