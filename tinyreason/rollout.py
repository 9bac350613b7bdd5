"""The scored rollouts of one generation batch: what rewards and advantages see."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinyreason.example import Example

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Batch:
    """N = problems × group size rollouts, those of one problem side by side."""

    examples: list[Example]
    """(N) the problem of each rollout"""
    texts: list[str]
    """(N) the completions"""
    ids: list[list[int]]
    """(N) their token ids"""
    group: "Tensor"
    """(N,) which problem of the batch, 0, 1, …"""
    length: "Tensor"
    """(N,) completion lengths in tokens"""
    truncated: "Tensor"
    """(N,) bool, ended by the token limit"""
    correct: "Tensor"
    """(N,) 1, 0, or nan where the answer cannot be judged"""
    group_size: int
    max_completion_tokens: int
    step: int
    reward: "Tensor | None" = None
    """(N,) weighted sum of the rewards; nan where none of them could judge"""

    def in_groups(self, values: "Tensor") -> "Tensor":
        """(N,) → (P, G), a row a problem."""
        return values.view(-1, self.group_size)

    def in_rows(self, values_P_1: "Tensor") -> "Tensor":
        """(P, 1), one value a group → (N,), one a rollout."""
        return values_P_1.expand(-1, self.group_size).reshape(-1)

    @property
    def lengths_P_G(self) -> "Tensor":
        """(P, G) completion lengths in tokens."""
        return self.in_groups(self.length.float())

    @property
    def correct_lengths_P_G(self) -> "Tensor":
        """(P, G) lengths of the right completions, nan for all others."""
        return self.lengths_P_G.where(self.in_groups(self.correct) == 1, float("nan"))

    @property
    def pass_rate(self) -> "Tensor":
        """(N,) the share of right ones among the judged rollouts of the group; nan where none was judged."""
        return self.in_rows(self.in_groups(self.correct).nanmean(dim=1, keepdim=True))
