"""Holds a correct answer against the shortest correct one ever seen for its problem: shorter pays, longer costs.

Why: HAPO, history-aware policy optimisation (arXiv 2505.11225): the yardstick is the model's own past, and tightens.
Formula: c + w·ℓ; f = cos(min(π/2 · L/h, π)), h = the shortest correct answer of the problem in all earlier batches;
correct: ℓ = max(f, −0.7); incorrect: ℓ = min(f, 0); ℓ = 0 while h is unset. h is renewed after the batch. It holds
correctness already; it stands alone. It needs problems that come back, and its memory is in every checkpoint.
Reward hacking: one lucky short correct answer sets h for good; after that honest reasoning can only lose.
Example: `rewards: [{kind: hapo_length}]`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class HapoLength(Reward):
    """Adds to correctness a cosine of the length against the problem's shortest correct answer so far."""

    reads_length: ClassVar[bool] = True
    needs_history: ClassVar[bool] = True

    kind: Literal["hapo_length"] = "hapo_length"
    length_weight: float = Field(1.0, ge=0)
    """w, how much the length counts beside correctness."""

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        import math

        ids = [example.id for example in batch.examples]
        shortest = batch.correct.new_tensor([store.get(self.kind, id, math.nan) for id in ids])
        wave = (math.pi / 2 * batch.length / shortest).clamp(max=math.pi).cos()
        term = wave.clamp(min=-0.7).where(batch.correct == 1, wave.clamp(max=0.0)).nan_to_num(0.0)
        self.remember(batch, store)
        return batch.correct + self.length_weight * term

    def remember(self, batch: Batch, store: Store) -> None:
        """Keeps each problem's shortest correct answer."""
        for example, length, correct in zip(batch.examples, batch.length.tolist(), batch.correct.tolist(), strict=True):
            if correct == 1:
                store.put(self.kind, example.id, min(length, store.get(self.kind, example.id, length)))
