"""How a token's advantage and its log-probability vary together, over all tokens of a batch."""

from tinyreason.rollout import Batch
from tinyreason.tensors import Tensor


def covariances(batch: Batch, advantages_N_T: Tensor) -> tuple[Tensor, Tensor]:
    """Returns ((N, T) each token's (A − mean A) · (log p − mean log p), (N, T) bool, which tokens count).

    Tokens of rollouts without a reward do not count, in neither mean.
    """
    counted = batch.mask & ~batch.reward.isnan()[:, None]
    count = counted.sum().clamp(min=1)
    centred = [values - values.where(counted, 0.0).sum() / count for values in (advantages_N_T, batch.logp)]
    return centred[0] * centred[1], counted
