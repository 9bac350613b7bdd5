"""Holds the scored rollouts of one generation batch: what rewards and advantages see."""

from dataclasses import dataclass, field
from typing import Any

from tinyreason.errors import ConfigError
from tinyreason.example import Example
from tinyreason.tensors import Tensor


@dataclass
class Batch:
    """N = problems × group size rollouts, those of one problem side by side."""

    examples: list[Example]
    """(N) The problem of each rollout."""
    texts: list[str]
    """(N) The completions."""
    ids: list[list[int]]
    """(N) Their token ids."""
    group: Tensor
    """(N,) Which problem of the batch, 0, 1, …."""
    length: Tensor
    """(N,) Completion lengths in tokens."""
    truncated: Tensor
    """(N,) Bool, whether the token limit ended it."""
    correct: Tensor
    """(N,) 1, 0, or nan where the answer cannot be graded."""
    group_size: int
    max_completion_tokens: int
    step: int
    trained_rows: int = 0
    """How many of the N are trained on, where that is fewer."""
    progress: float = 0.0
    """Share of the run's steps that are done before this one."""
    answers: list[str | None] = field(default_factory=list)
    """(N) The answer that was found in each completion; None where there is none."""
    values: dict[str, Tensor] = field(default_factory=dict)
    """Kind of reward → (N,) what it gave, clipped and where its gate is open, before its weight."""
    weights: dict[str, float] = field(default_factory=dict)
    """Kind of reward → its weight at this step."""
    reward: Tensor | None = None
    """(N,) Weighted sum of the rewards; nan where none of them could grade."""
    mask: Tensor | None = None
    """(N, T) Bool, where there is a token; like the three below only where somebody needs it."""
    logp: Tensor | None = None
    """(N, T) Log-probability of each sampled token under the policy, at the rollouts' temperature; 0 behind the end."""
    entropy: Tensor | None = None
    """(N, T) Entropy in nats of what each token was sampled from; 0 behind the end."""
    ref_logp: Tensor | None = None
    """(N, T) As `logp`, under the reference: the base, or the adapter that the training started from."""
    sources: list[str] = field(default_factory=list)
    """(N) Where each comes from, `policy` or another place; like the two below only where a plan rolls out."""
    sampled_logp: Tensor | None = None
    """(N, T) Log-probability of each token under what it was sampled from; nan where that is the policy as it is."""
    facts: list[dict[str, Any]] = field(default_factory=list)
    """(N) What the plan says of each."""

    def in_groups(self, values: Tensor) -> Tensor:
        """Reshapes (N,) → (P, G), a row a problem."""
        return values.view(-1, self.group_size)

    def in_rows(self, values_P_1: Tensor) -> Tensor:
        """Spreads (P, 1), one value a group → (N,), one a rollout."""
        return values_P_1.expand(-1, self.group_size).reshape(-1)

    def over_tokens(self, values: Tensor) -> Tensor:
        """Returns (N, T) what (N,) or (N, T) values say of each token, a copy; 0 behind the end.

        Errors: `ConfigError` where they are of another number of tokens.
        """
        if values.dim() == 2 and values.shape != self.mask.shape:
            raise ConfigError(
                f"an advantage has {values.shape[1]} numbers for each rollout, and the longest has "
                f"{self.mask.shape[1]} tokens; return one for each rollout, or one for each of its tokens."
            )
        return (values if values.dim() == 2 else values[:, None]).where(self.mask, 0.0)

    def token_mean(self, values_N_T: Tensor) -> Tensor:
        """Returns (N,) the mean over a rollout's tokens."""
        return values_N_T.where(self.mask, 0.0).sum(dim=1) / self.mask.sum(dim=1).clamp(min=1)

    @property
    def lengths_P_G(self) -> Tensor:
        """Returns (P, G) completion lengths in tokens."""
        return self.in_groups(self.length.float())

    @property
    def correct_lengths_P_G(self) -> Tensor:
        """Returns (P, G) lengths of the correct completions, nan for all others."""
        return self.lengths_P_G.where(self.in_groups(self.correct) == 1, float("nan"))

    @property
    def pass_rate(self) -> Tensor:
        """Returns (N,) the share of correct ones among the graded rollouts of the group; nan where none was graded."""
        return self.in_rows(self.in_groups(self.correct).nanmean(dim=1, keepdim=True))

    def where_graded(self, values: Tensor) -> Tensor:
        """Returns (N,) the values, nan where the rollout cannot be graded."""
        return values.where(~self.correct.isnan(), float("nan"))

    def deviations(self, values_P_G: Tensor) -> tuple[Tensor, Tensor]:
        """Returns ((P, G) each value less the mean of its group, (P, 1) the group's standard deviation).

        The deviation is a sample's, over one degree of freedom less than there are values; nan counts nowhere.
        Equal values are exactly their mean, as it is computed in double precision: a standard deviation near 0 would
        make much of what rounding leaves.
        """
        values = values_P_G.double()
        centred = values - values.nanmean(dim=1, keepdim=True)
        others = ((~centred.isnan()).sum(dim=1, keepdim=True) - 1).clamp(min=1)
        std = (centred.square().nansum(dim=1, keepdim=True) / others).sqrt()
        return centred.to(values_P_G.dtype), std.to(values_P_G.dtype)

    def z_scores(self, values_P_G: Tensor) -> Tensor:
        """Returns (N,) each value's distance from the mean of its group in standard deviations; 0 where it is nan."""
        centred, std = self.deviations(values_P_G)
        return (centred / (std + 1e-6)).nan_to_num(0.0).view(-1)

    def above_others(self, values_P_G: Tensor) -> Tensor:
        """Returns (N,) each value less the mean of the others of its group; 0 where it is nan, or alone."""
        centred, _ = self.deviations(values_P_G)
        count = (~centred.isnan()).sum(dim=1, keepdim=True)
        return (centred * count / (count - 1).clamp(min=1)).nan_to_num(0.0).view(-1)
