"""Takes from correctness the share of the completion that is a loop at its end.

Why: CAMPO, of MiroMind-M1: long completions are often long because they go round in circles, and that alone is
punished.
Formula: c − (n − s)/n, n the tokens of the completion, s the first of the loop it ends in (a stretch that stands three
times or more in a row up to the end; the measure of what counts is ours). It holds correctness already; it stands
alone.
Reward hacking: a loop with one changed word in each round is not seen.
Example: `rewards: [{kind: campo_loop_penalty}]`
"""

from typing import Literal

from tinyreason.algorithms.rewards._loop import loop_start
from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class CampoLoopPenalty(Reward):
    """Takes from correctness the share of the completion inside a loop at its end."""

    kind: Literal["campo_loop_penalty"] = "campo_loop_penalty"

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        looping = [(len(ids) - loop_start(ids)) / max(1, len(ids)) for ids in batch.ids]
        return batch.correct - batch.correct.new_tensor(looping)
