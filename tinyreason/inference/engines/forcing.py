"""Budget forcing inside a rollout: tokens that stand in place of the one that would end a thought too soon."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Forcing:
    """What is put in, in place of what, and until when, as token ids."""

    close: int
    """The token that ends a thought."""
    put: tuple[int, ...]
    """The tokens that stand in its place, at least one."""
    budget: int
    """A completion that ends its thought before its token of this number, the first being 0, thinks on."""
    most: int | None = None
    """So many times in a completion at most; None = as often as the budget asks."""


class Forced:
    """Follows the R rows of one rollout, each of at most T tokens: what was put into which, and what is still to come.

    A row depends on its own tokens alone, so that it is the same in any batch.
    """

    def __init__(self, forcing: Forcing, rows: int, limit: int, device):
        self.forcing = forcing
        self.put = torch.tensor(forcing.put, device=device)
        self.left_R, self.times_R = torch.zeros(2, rows, dtype=torch.long, device=device)
        self.places_R_T = torch.zeros(rows, limit, dtype=torch.bool, device=device)
        """Which tokens were put in, not sampled."""

    def replaced(self, tokens_N: Tensor, rows_N: Tensor, step: int) -> Tensor:
        """Returns (N,) the tokens number `step` of these rows, of which `tokens_N` were sampled."""
        forcing, left, times = self.forcing, self.left_R[rows_N], self.times_R[rows_N]
        if step < forcing.budget:
            ends = (tokens_N == forcing.close) & (left == 0)
            ends = ends if forcing.most is None else ends & (times < forcing.most)
            self.times_R[rows_N] = times + ends
            left = torch.where(ends, len(forcing.put), left)
        is_put = left > 0
        self.left_R[rows_N], self.places_R_T[rows_N, step] = left - is_put.long(), is_put
        return torch.where(is_put, self.put[(len(forcing.put) - left).clamp(max=len(forcing.put) - 1)], tokens_N)
