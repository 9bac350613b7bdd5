"""Gathers the problems that no rollout solves, and now and then takes a step on their worked solutions alone.

Why: ReLIFT (arXiv 2506.07527): RL sharpens what a model can do, fine-tuning teaches what it cannot; so the two take
turns, and only what is beyond the model is shown to it.
Formula: a problem whose rollouts are all incorrect goes, once, into a queue; when `size` wait, a step samples nothing
and has the solutions of the first as its groups, where each token counts `weight`, so that its gradient is that of
fine-tuning on them. Steps of that kind follow each other until fewer than `size` wait.
How it fails: problems that are hard because their gold answer is incorrect are what it gathers.
Example: `rollouts: {kind: relift, size: 64}` with `data: {kind: solutions, file: hard.jsonl}` and `trainer: grpo`
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.rollouts._demonstrations import SOLUTION
from tinyreason.algorithms.rollouts._rollout_plan import (
    Policy,
    Rollout,
    RolloutPlan,
    from_source,
    in_groups,
    unsolved_groups,
)
from tinyreason.example import Example
from tinyreason.rollout import Batch
from tinyreason.tensors import Tensor


class Relift(RolloutPlan):
    """Takes steps of fine-tuning on the solutions of problems that no rollout solved, when enough have gathered."""

    shows_solutions: ClassVar[bool] = True
    one_update: ClassVar[bool] = True
    reads_gold: ClassVar[bool] = True

    kind: Literal["relift"] = "relift"
    size: int = Field(128, ge=1)
    """So many unsolved problems are gathered before a step on their solutions."""
    weight: float = Field(1.0, gt=0)
    """What each token of a solution counts, where a rollout's counts its advantage."""

    def check(self, run, path: str) -> None:
        super().check(run, path)
        a_step = run.train.generated_rows // run.train.group_size
        if self.size < a_step:
            raise ValueError(
                f"{path}.size={self.size} is fewer than the {a_step} problems of a step; give that or more"
            )

    def check_examples(self, examples: Sequence[Example], path: str) -> None:
        super().check_examples(examples, path)
        if self.size > len(examples):
            raise ValueError(
                f"{path}.size={self.size:,} unsolved problems never come together, as the data have {len(examples):,} "
                f"in all; lower it to what is never solved of them"
            )

    def roll(self, rollouts: Sequence[Rollout], policy: Policy) -> None:
        waiting = policy.store.get("relift", "waiting", [])
        groups = in_groups(rollouts, policy.group_size)
        if len(waiting) >= self.size:
            for group, id in zip(groups, waiting, strict=False):
                example = policy.problems[id]
                for rollout in group:
                    rollout.example, rollout.prompt, rollout.is_compared = example, policy.prompt(example), False
                    rollout.become(policy.solution(example), SOLUTION)
            policy.store.put("relift", "waiting", waiting[len(groups) :])
            return
        policy.sample(rollouts)
        seen = set(policy.store.get("relift", "seen", []))
        unsolved = [group[0].example.id for group in unsolved_groups(rollouts, policy)]
        new = [id for id in dict.fromkeys(unsolved) if id not in seen]
        policy.store.put("relift", "waiting", waiting + new)
        policy.store.put("relift", "seen", sorted(seen | set(new)))

    def weigh(self, batch: Batch, advantages: Tensor) -> Tensor:
        shown = from_source(batch, SOLUTION)
        return advantages.where(~(shown if advantages.dim() == 1 else shown[:, None]), self.weight)
