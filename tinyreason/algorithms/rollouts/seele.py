"""Begins answers with as much of the worked solution as leaves the policy correct half of the time.

Why: SEELE (arXiv 2509.06923): what is always or never solved teaches nothing; the length of a hint sets how hard a
problem is, and the rollouts of the same step say how long it has to be.
Formula: a group is rolled out in `rounds`. In the first the hint is the share h = (S − 1)/S of the solution's tokens,
S its lines; before each later one f(h) = b + (1 − b)/(1 + exp(−k(h + m))) is fitted to the earlier rounds' pass rates
by least squares, and the next h solves f = `target`, held in [0, 1]. The hint begins the answer; the policy continues
it. A is over the whole group; each token of a hint counts `weight` in place of it. The paper's: 4 rounds of 8, KL
0.001.
Not from the paper: the fit looks b, k and m up in a grid, the flattest curve first among equals.
How it fails: with few rollouts a round a pass rate is 0 or 1, and the curve jumps.
Example: `rollouts: {kind: seele}` with `data: {kind: solutions, file: hard.jsonl}`, `train.group_size=32` and
`trainer: grpo`
"""

from collections.abc import Sequence
from functools import cache
from math import exp, log
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.rollouts._rollout_plan import Policy, Rollout, RolloutPlan, in_groups, per_token
from tinyreason.rollout import Batch
from tinyreason.tensors import Tensor

HINTED = "hint"
"""Source of a rollout that begins with part of the worked solution."""


class Seele(RolloutPlan):
    """Begins answers with a part of the solution, as long as makes half of them correct."""

    shows_solutions: ClassVar[bool] = True
    one_update: ClassVar[bool] = True
    reads_gold: ClassVar[bool] = True
    least_group: ClassVar[int] = 4

    kind: Literal["seele"] = "seele"
    rounds: int = Field(4, ge=2)
    """Number of rounds in which a group is rolled out."""
    target: float = Field(0.5, gt=0, lt=1)
    """Pass rate that the hints aim at."""
    weight: float = Field(0.001, ge=0)
    """What each token of a hint counts, where a rollout's counts its advantage."""

    def check(self, run, path: str) -> None:
        super().check(run, path)
        if run.train.group_size % self.rounds:
            raise ValueError(
                f"{path}: seele shares a group out to {self.rounds} rounds, and train.group_size="
                f"{run.train.group_size} cannot be; give a multiple of {self.rounds}, or another {path}.rounds"
            )

    def roll(self, rollouts: Sequence[Rollout], policy: Policy) -> None:
        groups, size = in_groups(rollouts, policy.group_size), policy.group_size // self.rounds
        seen = [[] for _ in groups]
        for number in range(self.rounds):
            parts = [group[number * size : (number + 1) * size] for group in groups]
            for part, points in zip(parts, seen, strict=True):
                hint = self.hint(part[0], points, policy)
                for rollout in part:
                    rollout.add(hint)
                    rollout.facts = {"hinted": len(hint)}
                    rollout.source = HINTED if hint else rollout.source
            policy.sample([one for part in parts for one in part])
            for part, points in zip(parts, seen, strict=True):
                rate = sum(map(bool, policy.grade(part))) / size
                points.append((self.share(part[0], policy), rate))

    def hint(self, rollout: Rollout, points: list[tuple[float, float]], policy: Policy) -> list[int]:
        """Returns the tokens that the next answers to a problem begin with, by (share, pass rate) of earlier rounds."""
        told = policy.solution(rollout.example)[: policy.limit - 1]
        lines = len((rollout.example.completion or "").strip().splitlines())
        share = solve(*fit(tuple(points)), self.target) if points else (lines - 1) / lines
        return told[: round(share * (len(told) - 1))]

    def share(self, rollout: Rollout, policy: Policy) -> float:
        """Returns what share of a solution's tokens a rollout began with."""
        return rollout.facts["hinted"] / max(1, len(policy.solution(rollout.example)) - 1)

    def weigh(self, batch: Batch, advantages: Tensor) -> Tensor:
        hinted = batch.correct.new_tensor([facts.get("hinted", 0) for facts in batch.facts])
        if not hinted.any():
            return advantages
        advantages = per_token(advantages, batch)
        places = hinted.new_tensor(range(advantages.shape[1]))
        return advantages.where(places >= hinted[:, None], self.weight)


def curve(share: float, b: float, k: float, m: float) -> float:
    """Returns the pass rate that is expected with a share of the solution."""
    return b + (1 - b) / (1 + exp(-k * (share + m)))


@cache
def grid() -> tuple[tuple[float, float, float], ...]:
    """Returns the (b, k, m) that are tried."""
    slopes = (2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0)
    return tuple((b / 10, k, -m / 20) for k in slopes for b in range(10) for m in range(-2, 23))


@cache
def fit(points: tuple[tuple[float, float], ...]) -> tuple[float, float, float]:
    """Returns the (b, k, m) whose curve is nearest to the (share, pass rate) points."""
    return min(grid(), key=lambda one: sum((curve(share, *one) - rate) ** 2 for share, rate in points))


def solve(b: float, k: float, m: float, target: float) -> float:
    """Returns the share of the solution at which a pass rate is expected, held in [0, 1]; 0 where none is needed."""
    if b >= target:
        return 0.0
    return min(1.0, max(0.0, -m - log((1 - b) / (target - b) - 1) / k))
