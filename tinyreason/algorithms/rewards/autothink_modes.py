"""Pays more for a correct answer without thinking than for one with, as long as neither mode takes over.

Why: AutoThink (arXiv 2505.10832): a prompt that leaves it open whether to think makes a model do both at random;
rewards in three stages keep both modes alive, then sharpen them, then shorten them.
Formula: stage 1: with thinking 1 if correct, else 0; without 2 and −1. With m the share of a mode in the batch above
`gamma`, d = (m − gamma)/(1 − gamma) is taken from both of that mode's values. Stage 2 is `correctness` alone. Stage 3:
correct exp(−a·z), incorrect 1 − exp(−b·z), z the length in standard deviations from the mean of its group. It holds
correctness already; it stands alone. The stages are those of a run (`stages:`), each with its own rewards.
Not checked against the paper: every number, the constants' defaults, and how the balance is made. Not here: the prompt
that begins the thought with "...".
Reward hacking: with references that are easy to guess, stage 1 pays for guessing.
Example: `rewards: [{kind: autothink_modes}]` with `trainer: grpo`
"""

from typing import Literal

from pydantic import Field

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.grading.thought import thinks
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class AutothinkModes(Reward):
    """Gives 1 or 0 with thinking, 2 or −1 without, less where a mode takes over; in stage 3 the shorter more."""

    kind: Literal["autothink_modes"] = "autothink_modes"
    stage: Literal[1, 3] = 1
    """1: keeps both modes alive; 3: shortens them."""
    gamma: float = Field(0.5, ge=0, lt=1)
    """Share of a mode in the batch above which it earns less, in stage 1."""
    a: float = Field(0.05, ge=0)
    """How much shorter correct completions earn more, in stage 3."""
    b: float = Field(0.05, ge=0)
    """How much longer incorrect completions earn more, in stage 3."""
    is_thought_open: bool = False
    """Whether the chat template ends the prompt in `<think>`, so that a completion only closes it."""

    @property
    def reads_length(self) -> bool:
        """Returns whether it tells long from short among correct completions, as in stage 3."""
        return self.stage == 3

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        if self.stage == 3:
            z = batch.z_scores(batch.in_groups(batch.where_graded(batch.length.float())))
            shaped = (-self.a * z).exp().where(batch.correct == 1, 1 - (-self.b * z).exp())
            return batch.where_graded(shaped)
        thought = batch.correct.new_tensor([thinks(text, self.is_thought_open) for text in batch.texts]).bool()
        of_mode = thought.float().mean()
        share = of_mode.where(thought, 1 - of_mode)
        values = batch.correct.where(thought, 3 * batch.correct - 1)
        return batch.where_graded(values - ((share - self.gamma) / (1 - self.gamma)).clamp(min=0))
