"""Compares a completion with what is believed of its problem from earlier visits, not with a group.

Why: SPO, single-stream policy optimisation (arXiv 2509.13232): a group whose completions are all alike teaches nothing;
a running belief about each problem is a baseline for a single completion.
Formula: v = a/(a + b) before the visit; A = c − v, then in standard deviations of the whole batch around its mean. Then
a ← memory · a + correct ones, b ← memory · b + incorrect ones. A problem starts with a = b = 1/2, or, with n earlier
samples in `meta.scores` of which S are correct, with 8(S + 1/2)/(n + 1) and 8(n − S + 1/2)/(n + 1). It reads
correctness alone. The paper forgets more (down to 0.875) the more the policy moved since the last visit; here it is the
constant that holds where it did not. Groups may be small, 2 at least; the visit of a group is one visit.
Not checked against the paper: over which degrees of freedom the batch's standard deviation is.
How it fails: it learns from problems that come back; at the first visit it compares with one half, whatever the
problem.
Example: `advantage: {kind: spo_single_stream}` with `samplers: [{kind: spo_single_stream}]` and `train: {group_size:
2}`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms._belief import chance, learn
from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class SpoSingleStream(Advantage):
    """Compares each completion with the belief about its problem, in units of the batch's standard deviation."""

    of_group_alone: ClassVar[bool] = False
    has_baseline: ClassVar[bool] = False
    needs_history: ClassVar[bool] = True
    reads_correctness_alone: ClassVar[bool] = True
    reads_gold: ClassVar[bool] = True

    kind: Literal["spo_single_stream"] = "spo_single_stream"
    memory: float = Field(0.96, gt=0, le=1)
    """How much of a belief remains at each visit to its problem."""

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        expected = batch.correct.new_tensor([chance(example, store) for example in batch.examples])
        centred, std = batch.deviations((batch.correct - expected)[None, :])
        for first in range(0, len(batch.examples), batch.group_size):
            verdicts = [value for value in batch.correct[first : first + batch.group_size].tolist() if value == value]
            learn(batch.examples[first], int(sum(verdicts)), len(verdicts), self.memory, store)
        return (centred / (std + 1e-8)).nan_to_num(0.0).view(-1)
