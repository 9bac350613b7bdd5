"""Multiplies correctness by how near a completion's cost is to the cheapest correct one ever seen for its problem.

Why: OTC-PO (arXiv 2504.14870): tools are called where they are needed, not at every turn. Not checked against the
paper: the formula.
Formula: c·r; m the completion's cost, n the least cost of a correct answer to the problem so far, this batch's
included: 1 if m = n = 0; cos(m·π/(2m + c0)) if n = 0; else sin(f·π/(2n)), f = 2nm/(m + n). The cost is how often
`<tool_call>` stands in it, or with `unit` its tokens in whole blocks of so many. It holds correctness already; it
stands alone. Its memory is in every checkpoint.
Reward hacking: one lucky guess without a call sets n = 0 for good.
Example: `rewards: [{kind: otc_relative_cost, unit: 16}]`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class OtcRelativeCost(Reward):
    """Gives a correct answer 1 where it is the cheapest of its problem so far, less the more it costs beyond that."""

    reads_length: ClassVar[bool] = True
    needs_history: ClassVar[bool] = True

    kind: Literal["otc_relative_cost"] = "otc_relative_cost"
    unit: int | None = Field(None, ge=1)
    """Tokens of one unit of cost; null = tool calls are the cost."""
    c0: float = Field(1.0, gt=0)
    """How mild the first call is where none was needed."""

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        costs = self.costs(batch)
        graded = zip(batch.examples, costs, batch.correct.tolist(), strict=True)
        for example, cost, correct in graded:
            if correct == 1:
                store.put(self.kind, example.id, min(cost, store.get(self.kind, example.id, cost)))
        least = [store.get(self.kind, example.id, cost) for example, cost in zip(batch.examples, costs, strict=True)]
        return batch.correct * batch.correct.new_tensor(list(map(self.share, costs, least)))

    def costs(self, batch: Batch) -> list[int]:
        """Returns (N) what each completion costs."""
        if self.unit:
            return [length // self.unit for length in batch.length.tolist()]
        return [text.count("<tool_call>") for text in batch.texts]

    def share(self, cost: int, least: int) -> float:
        """Returns r for a cost m where n is the least."""
        import math

        if least == 0:
            return 1.0 if cost == 0 else math.cos(cost * math.pi / (2 * cost + self.c0))
        return math.sin(least * cost / (cost + least) * math.pi / least) if cost else 0.0
