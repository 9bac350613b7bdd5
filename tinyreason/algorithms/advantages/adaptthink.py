"""Compares correctness with what the base reaches, and prefers an answer at once as long as it is not worse.

Why: AdaptThink (arXiv 2505.13417): thought that gains nothing over the base's own pass rate is not worth its tokens.
Formula: a = c − ref + bonus where answered at once, c − ref where thought; c is 0 too where a thought does not end
exactly once, ref the problem's reference. The start of each rollout was given with probability ½ where the policy has
its own π: A = a·w, w = (π(start)/½)^(1/L), L the rollout's tokens, and 0 where PPO's clip binds: a > 0 and w > 1 + ε,
or a < 0 and w < 1 − ε. With `train.loss=grpo` that is the gradient of the published loss. It reads correctness alone.
Not normalised: no mean of the group is taken off but through ref.
Reward hacking: where the reference is low, guessing at once earns more than thinking.
Example: `advantage: {kind: adaptthink}` with `rollouts: {kind: adaptthink}` and `train.loss=grpo`
"""

from math import log
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.grading.thought import CLOSE
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class Adaptthink(Advantage):
    """Compares correctness with the base's pass rate, with a bonus for answering at once."""

    has_baseline: ClassVar[bool] = False
    one_update: ClassVar[bool] = True
    reads_correctness_alone: ClassVar[bool] = True
    reads_gold: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"logp"})
    needs_rollouts: ClassVar[str | None] = "adaptthink"
    published_loss: ClassVar[str | None] = "grpo"

    kind: Literal["adaptthink"] = "adaptthink"
    bonus: float = Field(0.05, ge=0)
    """What an answer without thinking gets beside correctness."""
    clip: float = Field(0.2, gt=0)
    """ε, PPO's clip of the ratio."""

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        facts = batch.facts or [{}] * len(batch.texts)
        closings = [one.get("closings") for one in facts]
        is_whole = [count in (None, text.count(CLOSE)) for count, text in zip(closings, batch.texts, strict=True)]
        at_once = batch.correct.new_tensor([one.get("thinks") is False for one in facts])
        told = [one.get("reference") for one in facts]
        reference = batch.correct.new_tensor([float("nan") if one is None else one for one in told])
        reference = reference.where(~reference.isnan(), batch.pass_rate)
        correct = batch.correct * batch.correct.new_tensor(is_whole)
        advantages = (correct - reference + self.bonus * at_once).nan_to_num(0.0)
        ratio = self.ratio(batch, [one.get("forced", 0) for one in facts])
        binds = ((advantages > 0) & (ratio > 1 + self.clip)) | ((advantages < 0) & (ratio < 1 - self.clip))
        return (advantages * ratio).where(~binds, 0.0)

    def ratio(self, batch: Batch, forced: list[int]) -> Tensor:
        """Returns (N,) how much likelier the policy makes a rollout than it was given, a token on average."""
        change = [float(batch.logp[n, :count].sum()) - log(0.5) if count else 0.0 for n, count in enumerate(forced)]
        return (batch.correct.new_tensor(change) / batch.length.clamp(min=1)).exp()
