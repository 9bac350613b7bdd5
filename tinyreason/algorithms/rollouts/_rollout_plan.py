"""Holds what every way of rolling out shares: what a rollout is made of, and what may be asked of the policy for it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, ClassVar, Protocol

from tinyreason.example import Example
from tinyreason.rollout import Batch
from tinyreason.schema import Schema
from tinyreason.store import Store
from tinyreason.tensors import Tensor

POLICY = "policy"
"""Source of a rollout that the policy sampled, asked the problem as it is."""


@dataclass(frozen=True)
class ThoughtBudget:
    """Says when a thought that would end is continued, and by what word where no adapter has a token for that."""

    budget: int
    """A completion of fewer tokens does not end its thought."""
    most: int | None = None
    """So many times in a completion at most; None = as often as the budget asks."""
    word: str = "Wait"


@dataclass
class Rollout:
    """One rollout in the making: what is said so far, which tokens of it are trained on, and where it comes from."""

    example: Example
    prompt: list[int]
    """Token ids of the problem as it is put; whatever it was sampled from, it is trained on as an answer to this."""
    tokens: list[int] = field(default_factory=list)
    trained: list[bool] = field(default_factory=list)
    """Of each token, whether the policy is trained on it."""
    source: str = POLICY
    answered_from: int = 0
    """Number of the token at which the turn begins that is graded."""
    is_compared: bool = True
    """Whether it counts among the rewards of its group."""
    sampled_logp: list[float] | None = None
    """Of each token, its log-probability under what it was sampled from, where that was not the plain prompt."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What rewards and advantages of the same method read."""

    def add(self, tokens: Sequence[int], is_trained: bool = True) -> None:
        """Appends tokens."""
        self.tokens += tokens
        self.trained += [is_trained] * len(tokens)

    def become(self, tokens: Sequence[int], source: str) -> None:
        """Takes other tokens in place of its own."""
        self.tokens, self.trained, self.source, self.answered_from = list(tokens), [True] * len(tokens), source, 0


class Policy(Protocol):
    """What is rolled out, with what a plan may ask of it. Nothing of it has a gradient."""

    limit: int
    """Most tokens of a rollout, those included that nobody sampled."""
    step: int
    group_size: int
    problems: dict[str, Example]
    """Those that are trained on, by id."""
    rng: Random
    """Random numbers of the step, the same when the step is taken again."""
    store: Store
    opens_thought: bool
    """Whether the prompt ends in `<think>`."""

    def sample(self, rollouts: Sequence[Rollout], contexts: Sequence[list[int]] = (), by_base: bool = False) -> None:
        """Has the policy, or the base without adapter, continue each rollout to its end or the limit.

        It reads the rollout's prompt, or the token ids of `contexts` in place of that, and what is said so far.
        """

    def values(
        self, rollouts: Sequence[Rollout], contexts: Sequence[list[int]] = ()
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Returns of each rollout the log-probabilities and the entropies (T,) of its tokens, read like `sample`."""

    def grade(self, rollouts: Sequence[Rollout]) -> list[bool | None]:
        """Returns whether each is correct; None where its gold answer cannot be read."""

    def text(self, rollout: Rollout) -> str:
        """Returns what a rollout says in the turn that is graded, up to its end."""

    def answer(self, rollout: Rollout) -> str | None:
        """Returns the answer that is found in the turn that is graded; None where there is none."""

    def has_ended(self, rollout: Rollout) -> bool:
        """Returns whether its last token ends a turn."""

    def encode(self, text: str) -> list[int]:
        """Returns the token ids of a text as it stands."""

    def prompt(self, example: Example, added: str = "", turns: Sequence[str] = ()) -> list[int]:
        """Returns the token ids of the problem as it is put, a text added to it, and further turns behind it.

        The turns are by the assistant and the user, one after the other, and end with the user's.
        """

    def feedback(self, example: Example, text: str) -> list[int]:
        """Returns the token ids of a user's turn behind a completion, up to where the next one begins."""

    def solution(self, example: Example) -> list[int] | None:
        """Returns the token ids of the problem's worked solution, at most `limit`; None where there is none."""


class RolloutPlan(Schema):
    """Says how the rollouts of a step come about, where they are more than the policy's answers to the problems."""

    shows_solutions: ClassVar[bool] = False  # whether it needs data with worked solutions
    one_update: ClassVar[bool] = False  # whether it holds only for rollouts that are trained on once
    needs: ClassVar[frozenset[str]] = frozenset()  # of {"logp", "entropy"}: what of the tokens `weigh` reads
    reads_gold: ClassVar[bool] = False  # whether it goes by what is correct while it rolls out
    least_group: ClassVar[int] = 2  # so many rollouts a group, or it has nothing to do

    @property
    def thought_budget(self) -> ThoughtBudget | None:
        """Returns how thoughts that are too short continue, wherever the run samples; None where none does."""
        return None

    def check(self, run, path: str) -> None:
        if not run.train.needs_rewards:
            raise ValueError(f"{path}: trainer {run.trainer} rolls nothing out; trainer grpo does")
        group = run.train.group_size
        if group < self.least_group:
            raise ValueError(f"{path}: {self.kind} needs train.group_size={self.least_group} or more, not {group}")
        if run.train.rollout_dtype != "auto":
            raise ValueError(f"{path}: {self.kind} needs rollouts in the base's number format; leave out rollout_dtype")
        leaves = (*run.samplers, *run.rewards, *run.advantages)
        learning = dict.fromkeys(one.kind for one in leaves if one.needs_history)
        if learning:
            raise ValueError(
                f"{path}: {self.kind} changes what a group holds, and {' and '.join(learning)} would take that for the "
                f"policy's own record of the problem; leave one of them out"
            )

    def check_examples(self, examples: Sequence[Example], path: str) -> None:
        """Raises `ValueError`, one sentence, where the problems lack what it shows."""
        without = sum(not example.completion for example in examples) if self.shows_solutions else 0
        if without:
            raise ValueError(
                f"{path}.kind={self.kind} shows worked solutions, and {without:,} of {len(examples):,} problems have "
                f"none; take data that have them, as data.kind=solutions"
            )

    def roll(self, rollouts: Sequence[Rollout], policy: Policy) -> None:
        """Fills the N rollouts of a step, those of one problem side by side; a group may change its problem whole."""
        policy.sample(rollouts)

    def weigh(self, batch: Batch, advantages: Tensor) -> Tensor:
        """Returns (N,) or (N, T) advantages, of the rows that the policy did not write by a rule of its own."""
        return advantages

    def caveats(self, run) -> Iterator[str]:
        """Yields what is known to come of it with the run's other options, a sentence each."""
        return iter(())


def check_readers(run) -> None:
    """Raises `ValueError`, one sentence, where a reward or an advantage reads the facts of a plan that is not there."""
    planned = run.rollouts and run.rollouts.kind
    readers = [("reward", one) for one in run.rewards] + [("advantage", one) for one in run.advantages]
    for family, leaf in readers:
        if leaf.needs_rollouts not in (None, planned):
            raise ValueError(
                f"{family} {leaf.kind} reads what rollouts {leaf.needs_rollouts} writes down; type "
                f"rollouts.kind={leaf.needs_rollouts}, or take another {family}"
            )


def in_groups(rows: Sequence[Any], size: int) -> list[list[Any]]:
    """Returns the rollouts, or what there is of each, problem by problem."""
    return [list(rows[at : at + size]) for at in range(0, len(rows), size)]


def unsolved_groups(rollouts: Sequence[Rollout], policy: Policy) -> list[list[Rollout]]:
    """Returns the groups in which every rollout is incorrect; not those whose gold answer cannot be read."""
    groups, verdicts = (in_groups(rows, policy.group_size) for rows in (rollouts, policy.grade(rollouts)))
    return [group for group, found in zip(groups, verdicts, strict=True) if all(correct is False for correct in found)]


def from_source(batch: Batch, source: str) -> Tensor:
    """Returns (N,) bool, which rows come from there."""
    import torch

    return torch.tensor([found == source for found in batch.sources])


def per_token(advantages: Tensor, batch: Batch) -> Tensor:
    """Returns (N, T) advantages, the same for each token of a row where they are (N,)."""
    longest = batch.length.max() if batch.mask is None else batch.mask.shape[1]
    return advantages if advantages.dim() == 2 else advantages[:, None].expand(-1, int(longest))
