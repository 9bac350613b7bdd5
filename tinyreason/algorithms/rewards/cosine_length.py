"""Pays a correct answer the more the shorter it is, and an incorrect one the more the longer it is, on a cosine.

Why: steadies the length of long reasoning (Demystifying Long Chain-of-Thought, arXiv 2502.03373); open-r1, Tina and
Open-RS use it in the form below.
Formula: e + (s − e)/2 · (1 + cos(π · min(L/L_max, 1))); correct: s = 1 → e = 0.5; incorrect: s = −1 → e = −0.5.
`preset: as_released` is what open-r1's code and configuration do: incorrect 0 → −0.5, L in characters, L_max = 1,000,
and no minimum, so that past L_max the cosine turns back up (a gold answer that cannot be parsed earned 1 there, and is
left out here). It holds correctness already; it stands alone.
Reward hacking: incorrect answers are paid to ramble (as meant); correct ones of twice L_max earn full marks (as
released).
Example: `rewards: [{kind: cosine_length}]`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.rewards._reward import Reward, check_fits
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class CosineLength(Reward):
    """Gives a correct answer 1 falling to 0.5 with the length, an incorrect one −1 rising to −0.5."""

    reads_length: ClassVar[bool] = True

    kind: Literal["cosine_length"] = "cosine_length"
    preset: Literal["as_meant", "as_released"] = "as_meant"
    """Tokens and a clamp, or as open-r1 released it: characters, no clamp, incorrect answers from 0."""
    full_length: int | None = Field(None, ge=1)
    """L_max, where the cosine ends: tokens (as released: characters); null = the completion limit (1,000)."""

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        import math

        released = self.preset == "as_released"
        full = self.full_length or (1000 if released else batch.max_completion_tokens)
        if released:
            share = batch.correct.new_tensor([len(text) for text in batch.texts]) / full
        else:
            share = (batch.length.float() / full).clamp(max=1.0)
        wave = (1 + (math.pi * share).cos()) / 2
        correct, incorrect = 0.5 + 0.5 * wave, -0.5 + (0.5 if released else -0.5) * wave
        return batch.where_graded(correct.where(batch.correct == 1, incorrect))

    def check(self, run, path: str) -> None:
        if self.preset == "as_meant":
            check_fits(f"{path}.full_length", self.full_length, run)
