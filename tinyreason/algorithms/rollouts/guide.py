"""Where no rollout is correct, has the group sampled again with a hint, and trains on it as answers without one.

Why: Guide (arXiv 2506.13923): a hint makes some rollouts of a problem beyond the model correct; weighed by how likely
they are without the hint, they teach to solve it alone.
Formula: each token of a hinted rollout counts A·exp(l − μ), l its log-probability without the hint and μ with it, and 0
where PPO's clip binds: A > 0 and exp(l − μ) > 1 + ε, or A < 0 and exp(l − μ) < 1 − ε. The hint is the row's `hint`, or
the first `share` of its worked solution.
Not checked against the paper: the clip's width, and that the whole group is sampled again.
How it fails: what only a hint makes likely has weights near 0, so that hard steps teach least.
Example: `rollouts: {kind: guide}` with `data: {kind: solutions, file: hard.jsonl}` and `trainer: grpo`
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.rollouts._rollout_plan import Policy, Rollout, RolloutPlan, per_token, unsolved_groups
from tinyreason.example import Example
from tinyreason.rollout import Batch
from tinyreason.tensors import Tensor

HINTED = "hint"
"""Source of a rollout that was sampled with a hint in the prompt."""


class Guide(RolloutPlan):
    """Samples a group that nobody solved again with a hint, and weighs it by how likely it is without."""

    one_update: ClassVar[bool] = True
    reads_gold: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"logp"})

    kind: Literal["guide"] = "guide"
    share: float = Field(0.5, gt=0, lt=1)
    """Share of a worked solution's characters that is the hint, where the row has no `hint` of its own."""
    clip: float = Field(0.2, gt=0)
    """ε, PPO's clip of the ratio."""

    def check_examples(self, examples: Sequence[Example], path: str) -> None:
        without = sum(not self.hint(example) for example in examples)
        if without:
            raise ValueError(
                f"{path}.kind=guide needs hints, and {without:,} of {len(examples):,} problems have neither a 'hint' "
                f"nor a worked solution to take one from; give such data, as data.kind=solutions data.file=…"
            )

    def hint(self, example: Example) -> str:
        """Returns what is told of the way to solve a problem; nothing where nothing is known."""
        told, solution = example.meta.get("hint"), example.completion or ""
        return str(told) if told else solution[: round(self.share * len(solution))]

    def roll(self, rollouts: Sequence[Rollout], policy: Policy) -> None:
        policy.sample(rollouts)
        again = [one for group in unsolved_groups(rollouts, policy) for one in group]
        asked = [policy.prompt(one.example, f"\n\n## Hint.\n{self.hint(one.example)}") for one in again]
        for rollout in again:
            rollout.become([], HINTED)
        policy.sample(again, asked)
        log_probs, _ = policy.values(again, asked)
        for rollout, values in zip(again, log_probs, strict=True):
            rollout.sampled_logp = values.tolist()

    def weigh(self, batch: Batch, advantages: Tensor) -> Tensor:
        ratio = (batch.logp - batch.sampled_logp).exp()
        advantages = per_token(advantages, batch)
        binds = ((advantages > 0) & (ratio > 1 + self.clip)) | ((advantages < 0) & (ratio < 1 - self.clip))
        return advantages.where(ratio.isnan(), (advantages * ratio).where(~binds, 0.0))
