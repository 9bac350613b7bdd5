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
