"""Samples again from where the policy was least sure, so that a group's answers part at its forks.

Why: CURE (arXiv 2508.11016): plain sampling settles on one way; branching at tokens of high entropy keeps others
alive.
Formula: a group is G/(1 + `branches`) answers, and of each `branches` more that share its beginning: among its `forks`
tokens of highest entropy one is chosen at random, and the answer is continued from before it. The shared beginning is
not trained on in the branches. Not a fork: a token of entropy 0, one that ends a turn, one of which less than two
letters are left without its spaces. Where there is none the branches begin at the prompt. All G are compared with each
other. The paper's: G = 16, 3 branches, 20 forks; a second stage samples plainly: `stages:`.
How it fails: most tokens of high entropy are words that change nothing.
Example: `rollouts: {kind: cure}` with `train.group_size=16` and `trainer: grpo`
"""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from tinyreason.algorithms.rollouts._rollout_plan import Policy, Rollout, RolloutPlan, in_groups
from tinyreason.tensors import Tensor

BRANCH = "branch"
"""Source of a rollout that continues the beginning of another."""


class Cure(RolloutPlan):
    """Continues some of a group's answers again from tokens at which the policy was unsure."""

    kind: Literal["cure"] = "cure"
    branches: int = Field(3, ge=1)
    """Continuations of each answer."""
    forks: int = Field(20, ge=1)
    """Among so many tokens of highest entropy one is chosen to branch at."""

    def check(self, run, path: str) -> None:
        super().check(run, path)
        if run.train.group_size % (1 + self.branches):
            raise ValueError(
                f"{path}: cure needs train.group_size to be a multiple of {1 + self.branches}, an answer and its "
                f"branches, not {run.train.group_size}"
            )

    def roll(self, rollouts: Sequence[Rollout], policy: Policy) -> None:
        families = in_groups(rollouts, 1 + self.branches)
        originals = [family[0] for family in families]
        policy.sample(originals)
        _, entropies = policy.values(originals)
        for (original, *branches), entropy in zip(families, entropies, strict=True):
            fork = self.fork(original, entropy, policy)
            for branch in branches:
                branch.add(original.tokens[:fork], is_trained=False)
                branch.source = BRANCH
        policy.sample([branch for family in families for branch in family[1:]])

    def fork(self, rollout: Rollout, entropy: Tensor, policy: Policy) -> int:
        """Returns the number of the token before which the branches of a rollout begin."""
        unsure = [
            place
            for place in entropy.argsort(descending=True).tolist()
            if entropy[place] > 0 and self.says_something(rollout, place, policy)
        ]
        return policy.rng.choice(unsure[: self.forks] or [0])

    def says_something(self, rollout: Rollout, place: int, policy: Policy) -> bool:
        """Returns whether a token has two letters or more without its spaces."""
        token = Rollout(rollout.example, rollout.prompt, tokens=rollout.tokens[place : place + 1])
        return len(policy.text(token).strip()) > 1
