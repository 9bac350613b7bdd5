"""Has half of each group think and the other half answer at once, so that the policy finds out where thinking pays.

Why: AdaptThink (arXiv 2505.13417): a model that always thinks never tries not to; both ways are sampled of every
problem, and the advantage of the same name asks only that answering at once is not worse.
Formula: the first half of a group begins with `starts[0]`, which ends the thought, the second with `starts[1]`; the
policy completes both and is trained on all of it, the start included. A problem's reference, the pass rate of
`references` completions of the base without adapter, is sampled when it first comes up, and kept for the run.
Not here: the paper's own limit of 4,096 tokens for answers without thinking.
How it fails: after a warm-up the base is not what training began from, so that every reference is too low.
Example: `rollouts: {kind: adaptthink}` with `advantage: {kind: adaptthink}`, `train.loss=grpo` and `trainer: grpo`
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.rollouts._rollout_plan import Policy, Rollout, RolloutPlan, in_groups
from tinyreason.grading.thought import CLOSE, OPEN

THINKING, AT_ONCE = "thinking", "at_once"
"""Sources of the two halves of a group."""


class Adaptthink(RolloutPlan):
    """Begins half of each group with a closed thought and half with an opened one."""

    reads_gold: ClassVar[bool] = True

    kind: Literal["adaptthink"] = "adaptthink"
    starts: tuple[str, str] | None = None
    """[without thinking, with]: how they begin; null = `</think>` and `Alright`, behind `<think>` where it is shut."""
    references: int = Field(16, ge=0)
    """Completions of the base a problem, whose pass rate is its reference; 0 = the pass rate of the group itself."""

    def check(self, run, path: str) -> None:
        super().check(run, path)
        if run.compared_by != self.kind:
            raise ValueError(
                f"{path}: adaptthink has starts that the policy did not sample, which only the advantage of its name "
                f"weighs; type advantage.kind=adaptthink, not {run.compared_by}"
            )
        if run.train.group_size % 2:
            raise ValueError(f"{path}: adaptthink halves groups; train.group_size={run.train.group_size} is odd")

    def roll(self, rollouts: Sequence[Rollout], policy: Policy) -> None:
        references = self.pass_rates(rollouts, policy) if self.references else {}
        opened = "" if policy.opens_thought else OPEN
        starts = self.starts or (opened + CLOSE, opened + "Alright")
        for group in in_groups(rollouts, policy.group_size):
            for place, rollout in enumerate(group):
                thinks = place >= len(group) // 2
                start = policy.encode(starts[thinks])[: policy.limit - 1]
                rollout.add(start)
                rollout.source = THINKING if thinks else AT_ONCE
                rollout.facts = {
                    "forced": len(start),
                    "thinks": thinks,
                    "closings": 1 if thinks else starts[0].count(CLOSE),
                    "reference": references.get(rollout.example.id),
                }
        policy.sample(rollouts)

    def pass_rates(self, rollouts: Sequence[Rollout], policy: Policy) -> dict[str, float]:
        """Returns the reference of each problem that ever came up, by id, after sampling those that are new."""
        known = dict(policy.store.get(self.kind, "references", {}))
        new = {rollout.example.id: rollout for rollout in rollouts if rollout.example.id not in known}
        tries = [Rollout(one.example, one.prompt) for one in new.values() for _ in range(self.references)]
        for at in range(0, len(tries), len(rollouts)):
            policy.sample(tries[at : at + len(rollouts)], by_base=True)
        for id, correct in zip(new, in_groups(policy.grade(tries), self.references), strict=True):
            known[id] = sum(map(bool, correct)) / self.references
        policy.store.put(self.kind, "references", known)
        return known

    def caveats(self, run) -> Iterator[str]:
        if self.references and (run.warmup or run.stages or run.adapter.start):
            yield (
                "rollouts adaptthink compares with the base without any adapter, not with what the warm-up, the stages "
                "or adapter.start made of it; rollouts.references=0 compares with the group itself"
            )
