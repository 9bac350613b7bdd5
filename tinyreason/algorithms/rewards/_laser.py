"""Holds what the LASER rewards share (arXiv 2505.15612): a bonus under a target, and targets that follow the model."""

from typing import Annotated, ClassVar

from pydantic import Field

from tinyreason.algorithms.rewards._loop import loop_start
from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.grading.thought import closings, never_ends
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor

BONUS = 0.5
INCORRECT = -0.5
EASY, MEDIUM = 2 / 3, 1 / 3
"""Shares of correct rollouts in a group from which its problem counts as easy, as medium; below it is hard."""
Share = Annotated[float, Field(gt=0, le=1)]


def outcome(batch: Batch) -> Tensor:
    """Returns (N,) 1 correct, −0.5 incorrect, −1 without a box or with thoughts that never end; nan not graded."""
    broken = batch.correct.new_tensor([is_broken(text) for text in batch.texts]).bool()
    earned = batch.correct.new_tensor(1.0).where(batch.correct == 1, INCORRECT)
    return batch.where_graded(earned.masked_fill(broken, -1.0))


def brief(batch: Batch, target: Tensor | float) -> Tensor:
    """Returns (N,) the outcome, and the bonus where it is 1 and the length stays under the target."""
    earned = outcome(batch)
    return earned + BONUS * ((earned == 1) & (batch.length <= target))


def is_broken(text: str) -> bool:
    """Returns whether the box is missing, or the thoughts are opened and not closed, or closed twice."""
    return "\\boxed{" not in text or len(closings(text)) > 2 or never_ends(text)


def difficulty(pass_rate: float) -> str:
    """Returns `easy`, `medium` or `hard`."""
    return "easy" if pass_rate >= EASY else "medium" if pass_rate >= MEDIUM else "hard"


def smallest_target(lengths: list[float], expected_correct: int, thresholds: range) -> int:
    """Returns the smallest threshold under which one of `expected_correct` answers is expected to stay."""
    for threshold in thresholds:
        covered = sum(length <= threshold for length in lengths)
        if covered * expected_correct >= len(lengths):  # int(coverage · C) ≥ 1, without rounding
            return threshold
    return thresholds[-1]


class Monitor(Reward):
    """Keeps a target length for each difficulty, estimated anew from the rollouts of the last steps."""

    reads_length: ClassVar[bool] = True

    lowest_share: Share = 0.125
    """Smallest target, as a share of the completion limit; the paper tries 1/16, 1/8 and 1/4."""
    step_share: Share = 0.0625
    """Distance between possible targets, as a share of the completion limit."""
    refresh_steps: int = Field(20, ge=1)
    """Number of steps after which the targets are estimated anew."""

    def targets(self, batch: Batch, store: Store) -> Tensor:
        """Returns (N,) the target of each rollout's difficulty; the completion limit while there is no estimate."""
        known, limit = store.get(self.kind, "targets", {}), batch.max_completion_tokens
        rates = batch.pass_rate.nan_to_num(0.0).tolist()
        return batch.correct.new_tensor([known.get(difficulty(rate), limit) for rate in rates])

    def observe(self, batch: Batch, store: Store) -> None:
        """Adds the rollouts' lengths, correct or incorrect, and estimates the targets when it is time."""
        seen = {name: list(lengths) for name, lengths in store.get(self.kind, "lengths", {}).items()}
        rates = batch.pass_rate.nan_to_num(0.0).tolist()
        for rate, length, correct in zip(rates, batch.length.tolist(), batch.correct.tolist(), strict=True):
            if correct == correct:  # graded
                seen.setdefault(difficulty(rate), []).append(length)
        steps = store.get(self.kind, "steps", 0) + 1
        if steps % self.refresh_steps == 0:
            store.put(self.kind, "targets", store.get(self.kind, "targets", {}) | self.estimate(seen, batch))
            seen = {}
        store.put(self.kind, "lengths", seen)
        store.put(self.kind, "steps", steps)

    def estimate(self, seen: dict[str, list[float]], batch: Batch) -> dict[str, int]:
        """Returns difficulty → target, of those that were seen."""
        limit, size = batch.max_completion_tokens, batch.group_size
        step = max(1, round(self.step_share * limit))
        thresholds = range(min(limit, max(1, round(self.lowest_share * limit))), limit + step, step)
        expected = {"easy": int(EASY * size), "medium": int(MEDIUM * size), "hard": 1}
        return {name: smallest_target(seen[name], max(1, expected[name]), thresholds) for name in sorted(seen)}


def repeats_itself(batch: Batch) -> Tensor:
    """Returns (N,) bool, whether the end of a rollout is a loop."""
    return batch.correct.new_tensor([loop_start(ids) < len(ids) for ids in batch.ids]).bool()
