"""Holds up the entropy of the tokens by which training would lose it fastest.

Why: the token-wise entropy-adaptive reinforcement learning of Light-IF (arXiv 2508.03178): where a token's advantage
and log-probability are large together, entropy falls, so it is regularised there and not everywhere.
Formula: cov_t = (A_t − mean A)(log p_t − mean log p), means over the batch's tokens; coef_t = 10 · softmax(cov) over
them, at most 5. Published: −weight · mean(coef_t · H_t) beside the loss. Here A_t + weight · coef_t · (−log p_t − H_t)
with a mean over tokens (train.loss=dapo): the gradient of the entropy from one sample, right on average for
coefficients that are given (our derivation). They are not quite: each is made with the same sampled token.
Not checked against the paper: weight; the released script has it at 0.
How it fails: a softmax over n tokens gives each 10/n, which is nothing in a batch of thousands, until a few very
unlikely ones take all of it and rule the step. One sample of a token says little of its entropy: noise, most on
unlikely tokens. Only without top-p, top-k and min-p is it right on average.
Example: `advantage: [{kind: grpo}, {kind: light_if}]` with `train: {loss: dapo}`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.algorithms.advantages._covariance import covariances
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor

SCALE, MOST = 10.0, 5.0


class LightIf(Advantage):
    """Adds an entropy bonus to each token by the covariance of its advantage and its log-probability."""

    role: ClassVar[str] = "shaper"
    of_group_alone: ClassVar[bool] = False
    has_baseline: ClassVar[bool] = False
    one_update: ClassVar[bool] = True
    published_loss: ClassVar[str | None] = "dapo"
    needs: ClassVar[frozenset[str]] = frozenset({"logp", "entropy"})

    kind: Literal["light_if"] = "light_if"
    weight: float = Field(1.0, ge=0)
    """Weight of the entropy that is added to the objective."""

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        found = batch.over_tokens(advantages)
        cov, counted = covariances(batch, found)
        if not counted.any():
            return found
        powers = (cov.where(counted, float("-inf")) - cov[counted].max()).exp()
        coefficients = (SCALE * powers / powers.sum()).clamp(max=MOST)
        return found + self.weight * coefficients * (-batch.logp - batch.entropy)
