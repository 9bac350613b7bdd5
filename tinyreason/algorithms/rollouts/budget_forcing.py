"""Puts a token where the policy would end its thought too soon, so that it thinks on; it is not trained to say it.

Why: budget forcing (s1, arXiv 2501.19393): "Wait" in place of `</think>` has a model look at its answer again; with the
adapter `new_token` the token in its place is learnt (continue-thinking token, arXiv 2506.11274).
Formula: where `</think>` is sampled before the completion has `budget` tokens, at most `most` times in each, the
adapter's token stands there instead, or `word` where there is none. What is put in has no loss of its own, as nobody
sampled it; all that follows is trained on as it was sampled. Evaluation, `eval` and `chat` of the run put in the same,
before training too: the base is measured with `word`, which is s1's budget forcing.
Needs: a tokenizer in which `</think>` is one token, as of Qwen3, SmolLM3 and the R1 distillates.
How it fails: a model that never thinks is never forced; one that was correct at first may change its mind.
Example: `rollouts: {kind: budget_forcing, budget: 1024}` with `adapter: {kind: new_token}` and `trainer: grpo`
"""

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field

from tinyreason.algorithms.rollouts._rollout_plan import Policy, Rollout, RolloutPlan, ThoughtBudget

FORCED = "forced"
"""Source of a rollout into which something was put."""


class BudgetForcing(RolloutPlan):
    """Has thoughts continue that would end in fewer tokens than the budget."""

    kind: Literal["budget_forcing"] = "budget_forcing"
    budget: int = Field(ge=1)
    """A completion of fewer tokens does not end its thought."""
    most: int | None = Field(None, ge=1)
    """So many times in a completion at most; null = as often as the budget asks."""
    word: str = Field("Wait", min_length=1)
    """What is put in where no adapter has a token for it."""

    @property
    def thought_budget(self) -> ThoughtBudget:
        return ThoughtBudget(self.budget, self.most, self.word)

    def check(self, run, path: str) -> None:
        super().check(run, path)
        limits = {"train": run.train.max_completion_tokens, "evaluation": run.evaluation.max_completion_tokens}
        for section, limit in limits.items():
            if self.budget >= limit:
                raise ValueError(
                    f"{path}: a budget of {self.budget} tokens leaves no room for an answer within "
                    f"{section}.max_completion_tokens={limit}; type a smaller {path}.budget"
                )
        if run.is_sampled_by_trl:
            raise ValueError(
                f"{path}: {self.kind} needs rollouts that our own engines sample; leave out what has TRL sample"
            )

    def roll(self, rollouts: Sequence[Rollout], policy: Policy) -> None:
        policy.sample(rollouts)
        for rollout in rollouts:
            if not all(rollout.trained):
                rollout.source = FORCED

    def caveats(self, run) -> Iterator[str]:
        if run.adapter.kind == "new_token":
            yield (
                f"before training '{self.word}' is put in, as the base has no token for it: the gain is over that, not "
                f"over the base alone; tinyreason eval with --thinking-budget 0 asks that"
            )
