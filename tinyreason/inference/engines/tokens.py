"""Chooses each row's next token from the logits by a random number of the row's own."""

from dataclasses import dataclass, field
from math import log
from typing import Any

import numpy
import torch
from torch import Tensor
from torch.nn.functional import pad

CHUNK = 256
"""The distribution function is inverted over sums of so many tokens first, then inside one of them."""
BELOW_ONE = 1 - 1e-12
"""Keeps rounding from choosing a token behind the last one that has any probability."""


@dataclass(frozen=True)
class TokenRule:
    """What stands between the logits and the choice of a token."""

    temperature: float = 1.0
    """0 = the likeliest token."""
    warpers: list[Any] = field(default_factory=list)
    """Transformers' own that take (None, scores): top-p, top-k, min-p."""

    def tokens(self, logits_N_V: Tensor, slots_R: Tensor, uniforms_R: Tensor) -> Tensor:
        """Returns (R,) tokens, of each row by its slot's logits and its uniform number in [0, 1)."""
        if not self.temperature:
            return logits_N_V.argmax(dim=-1)[slots_R]
        return inverse_cdf(self.scores(logits_N_V), slots_R, uniforms_R)

    def values(self, logits_N_V: Tensor, slots_R: Tensor, tokens_R: Tensor) -> Tensor:
        """Returns (2, R) log-probabilities of tokens and entropies in nats of what they were sampled from.

        Both are at this temperature, before top-p and its like, as TRL has them.
        """
        scores_N_V = self.tempered(logits_N_V)
        largest_N = scores_N_V.amax(dim=-1)
        weights_N_V = (scores_N_V - largest_N[:, None]).exp_()
        sums_N = weights_N_V.sum(dim=-1)
        logs_N = largest_N + sums_N.log()
        entropies_N = logs_N - torch.linalg.vecdot(weights_N_V, scores_N_V) / sums_N
        return torch.stack([scores_N_V[slots_R, tokens_R] - logs_N[slots_R], entropies_N[slots_R]])

    def certainties(self, logits_N_V: Tensor) -> Tensor:
        """Returns (N,) divergences in nats of the distribution at temperature 1 from uniform: -1/V Σ log p - log V."""
        scores_N_V = logits_N_V.float()
        return scores_N_V.logsumexp(dim=-1) - scores_N_V.mean(dim=-1) - log(scores_N_V.shape[-1])

    def tempered(self, logits_N_V: Tensor) -> Tensor:
        """Returns (N, V) logits at this temperature, in float32."""
        scores_N_V = logits_N_V.float()
        return scores_N_V if self.temperature in (0, 1) else scores_N_V / self.temperature

    def scores(self, logits_N_V: Tensor) -> Tensor:
        """Returns (N, V) logits of the distribution that is sampled from, in float32."""
        scores_N_V = self.tempered(logits_N_V)
        for warper in self.warpers:
            scores_N_V = warper(None, scores_N_V)
        return scores_N_V

    def cumulative(self, logits_N_V: Tensor) -> Tensor:
        """Returns (N, V) the distribution function in float64, unnormalised, as `inverse_cdf` has it in its chunks."""
        scores_N_V = self.scores(logits_N_V)
        return (scores_N_V - scores_N_V.amax(dim=-1, keepdim=True)).exp_().double().cumsum(dim=-1)


def inverse_cdf(scores_N_V: Tensor, slots_R: Tensor, uniforms_R: Tensor) -> Tensor:
    """Returns (R,) the first token of each row's slot at which the distribution function exceeds its uniform number."""
    count, size = scores_N_V.shape
    weights = (scores_N_V - scores_N_V.amax(dim=-1, keepdim=True)).exp_()
    weights = pad(weights, (0, -size % CHUNK)).view(count, -1, CHUNK)
    sums = weights.sum(dim=-1, dtype=torch.float64).cumsum(dim=-1)[slots_R]
    aims = (uniforms_R * sums[:, -1] * BELOW_ONE)[:, None]
    chunk = torch.searchsorted(sums, aims, right=True).clamp_(max=sums.shape[1] - 1)
    before = torch.where(chunk > 0, sums.gather(1, (chunk - 1).clamp(min=0)), 0.0)
    inside = weights[slots_R, chunk[:, 0]].double().cumsum(dim=-1)
    rest = torch.minimum(aims - before, inside[:, -1:] * BELOW_ONE)
    place = torch.searchsorted(inside, rest, right=True).clamp_(max=CHUNK - 1)
    return (chunk * CHUNK + place)[:, 0].clamp_(max=size - 1)


def uniforms_of(seeds: list[Any], length: int) -> Tensor:
    """Returns (rows, length) uniform numbers; a row's begin with the same ones whatever the length."""
    return torch.tensor(numpy.stack([numpy.random.default_rng(seed).random(length) for seed in seeds]))
