"""Weights the tokens of which the model is sure by who shares them: correct completions, incorrect ones, or both.

Why: LESS, low-entropy segment-based advantage shaping (arXiv 2512.00908): long runs of sure tokens are steps of
reasoning; one that only correct completions take is worth more than one that all take.
Formula: in each completion a token is unsure where its entropy is above the 0.8 quantile of the completion: weight 1.
All others: 1/n, n the completions of its side of the group (correct or incorrect). A run of 5 tokens or more below the
quantile is a segment, looked up token by token in all completions of the group: on both sides, weight 0; on its own
side alone in k of them, k/n. A_t = weight · A. Groups with one side only stay as they are.
Reward hacking: a completion unlike all others has 1/n nearly everywhere: what most agree on is learnt fastest.
Example: `advantage: [{kind: grpo}, {kind: less_segments}]`
"""

from itertools import groupby
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class LessSegments(Advantage):
    """Weights runs of sure tokens by how many completions share them, and on which side."""

    role: ClassVar[str] = "shaper"
    reads_gold: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"entropy"})

    kind: Literal["less_segments"] = "less_segments"
    quantile: float = Field(0.8, gt=0, lt=1)
    """Share of a completion's tokens of which the model counts as sure."""
    least_tokens: int = Field(5, ge=1)
    """Tokens of the shortest segment."""

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        weights = batch.entropy.new_ones(batch.mask.shape)
        texts = ["".join(map(chr, ids)) for ids in batch.ids]  # a character a token: found as fast as text is
        sides, size = batch.correct.tolist(), batch.group_size
        for first in range(0, len(texts), size):
            group = range(first, first + size)
            of_side = {side: [texts[row] for row in group if sides[row] == side] for side in (1.0, 0.0)}
            for row in group if all(of_side.values()) else ():
                if sides[row] in of_side:
                    entropies = batch.entropy[row, : len(texts[row])].tolist()
                    found = self.weights(texts[row], entropies, of_side[sides[row]], of_side[1 - sides[row]])
                    weights[row, : len(found)] = weights.new_tensor(found)
        return batch.over_tokens(advantages) * weights

    def weights(self, text: str, entropies: list[float], same: list[str], other: list[str]) -> list[float]:
        """Returns the weight of each token of a completion among those of its side and of the other."""
        least = sorted(entropies)[min(round(self.quantile * len(entropies)), len(entropies) - 1)]
        found = [1.0 if entropy > least else 1 / len(same) for entropy in entropies]
        for is_sure, run in groupby(range(len(entropies)), lambda place: entropies[place] < least):
            places = list(run)
            if is_sure and len(places) >= self.least_tokens:
                segment = text[places[0] : places[-1] + 1]
                share = sum(segment in one for one in same) / len(same)
                weight = 0.0 if any(segment in one for one in other) else share
                found[places[0] : places[-1] + 1] = [weight] * len(places)
        return found
