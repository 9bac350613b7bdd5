"""Takes something off a completion that comes near the token limit, up to 1 at the limit. An addition to correctness.

Why: DAPO (arXiv 2503.14476): a hard limit punishes good reasoning that was only too long; this bends instead.
Formula: 0 if L ≤ L_max − L_c; (L_max − L_c − L)/L_c above that; −1 if L > L_max. L_c = 4,096 of L_max = 20,480 there.
Reward hacking: not below L_max − L_c, where it is silent; a model that never comes near is left as it is.
Example: `rewards: [{kind: correctness}, {kind: soft_overlong, buffer_tokens: 256}]`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.rewards._reward import Reward, check_fits
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class SoftOverlong(Reward):
    """Gives 0, falling to −1 over the last tokens before the limit."""

    reads_gold: ClassVar[bool] = False
    reads_length: ClassVar[bool] = True

    kind: Literal["soft_overlong"] = "soft_overlong"
    buffer_tokens: int | None = Field(None, ge=1)
    """L_c, the tokens before the limit over which it falls; null = a fifth of the limit."""

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        buffer = self.buffer_tokens or max(1, batch.max_completion_tokens // 5)
        over = batch.length.float() - (batch.max_completion_tokens - buffer)
        falls = -(over / buffer).clamp(0.0, 1.0)
        has_gold = batch.correct.new_tensor([bool(example.answer) for example in batch.examples]).bool()
        return batch.where_graded(falls).where(has_gold, falls)

    def check(self, run, path: str) -> None:
        check_fits(f"{path}.buffer_tokens", self.buffer_tokens, run)
