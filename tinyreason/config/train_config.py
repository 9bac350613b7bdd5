"""The knobs of the training loops, and TRL's names for them."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tinyreason.schema import Schema


class Train(Schema):
    """The knobs of every training loop; all others of TRL are reached through `trl:`."""

    max_steps: int = Field(ge=1)
    """optimizer steps"""
    micro_batch_size: int | None = Field(None, ge=1)
    """rows a backward pass; null = all of a step at once (TRL: per_device_train_batch_size)"""
    max_completion_tokens: int = Field(ge=1)
    """longest reply (TRL: max_completion_length)"""
    learning_rate: float | None = Field(None, gt=0)
    """null = the adapter's own default"""
    schedule: Literal["constant", "linear", "cosine", "cosine_with_min_lr"] = "constant"
    """how the learning rate falls (TRL: lr_scheduler_type)"""
    weight_decay: float = Field(0.0, ge=0)
    """of AdamW"""
    max_gradient_norm: float = Field(1.0, gt=0)
    """gradients are clipped to this norm (TRL: max_grad_norm)"""

    @property
    def rows_per_step(self) -> int:
        raise NotImplementedError

    @model_validator(mode="after")
    def micro_batches_divide(self) -> Self:
        rows, micro = self.rows_per_step, self.micro_batch_size or self.rows_per_step
        if rows % micro:
            fitting = max(size for size in range(1, micro) if rows % size == 0)
            raise ValueError(
                f"a step of {rows} rows is not a multiple of micro_batch_size={micro}; "
                f"try train.micro_batch_size={fitting}"
            )
        return self


class TrainSft(Train):
    """Supervised fine-tuning on completions: the loss is on them alone, never on the prompt."""

    kind: Literal["sft"] = "sft"
    """the trainer; comes from `trainer:`"""
    batch_size: int = Field(16, ge=1)
    """rows a step"""
    max_tokens: int = Field(ge=8)
    """longest row, prompt and completion; longer ones are left out and counted (TRL: max_length)"""
    truncate_ratio: float = Field(1.0, gt=0, le=1)
    """share of each completion's tokens that is trained on, from its beginning (Distilling the Essence)"""
    packing: bool = False
    """several rows in one sequence of max_tokens, each attending to itself alone; all rows must weigh the same"""

    @property
    def rows_per_step(self) -> int:
        return self.batch_size


class TrainGrpo(Train):
    """Group-relative policy optimisation."""

    kind: Literal["grpo"] = "grpo"
    """the trainer; comes from `trainer:`"""
    rollouts_per_step: int = Field(64, ge=2)
    """completions sampled for each step, groups × group size (TRL: generation_batch_size)"""
    group_size: int = Field(8, ge=2)
    """completions of one problem that are compared with each other (TRL: num_generations)"""
    temperature: float = Field(1.0, gt=0)
    """of the sampled rollouts"""
    kl: float = Field(0.0, ge=0)
    """weight of the KL penalty to the base, k3 estimator: the leash (TRL: beta)"""
    entropy_bonus: float = 0.0
    """weight of the token entropy added to the objective (TRL: entropy_coef)"""
    loss: Literal["grpo", "dr_grpo", "dapo", "bnpo"] = "dapo"
    """how token losses are averaged: a rollout's mean, a constant length, all tokens of the batch (TRL: loss_type)"""

    thinkprune: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """ThinkPrune: token limits in equal shares of the steps, as [4000, 3000, 2000]; cut before its answer is wrong"""

    @property
    def rows_per_step(self) -> int:
        return self.rollouts_per_step

    @property
    def tightest_limit(self) -> int:
        """The token limit of the last step, which no other is below."""
        return (self.max_completion_tokens, *self.thinkprune)[-1]

    def limit_at(self, step: int) -> int:
        """The token limit of the rollouts at a step, 1, 2, …; the evaluation keeps max_completion_tokens."""
        if not self.thinkprune:
            return self.max_completion_tokens
        stage = (step - 1) * len(self.thinkprune) // self.max_steps
        return self.thinkprune[min(stage, len(self.thinkprune) - 1)]

    @model_validator(mode="after")
    def stages_tighten(self) -> Self:
        limits = (self.max_completion_tokens, *self.thinkprune)
        if any(later > earlier for earlier, later in pairwise(limits)):
            raise ValueError(
                f"thinkprune={list(self.thinkprune)} must fall from max_completion_tokens={self.max_completion_tokens}"
            )
        if len(self.thinkprune) > self.max_steps:
            raise ValueError(f"thinkprune has {len(self.thinkprune)} stages, more than max_steps={self.max_steps}")
        return self

    @model_validator(mode="after")
    def batches_divide(self) -> Self:
        if self.rollouts_per_step % self.group_size:
            raise ValueError(
                f"rollouts_per_step={self.rollouts_per_step} is not a multiple of group_size={self.group_size}; "
                f"try train.rollouts_per_step={max(1, self.rollouts_per_step // self.group_size) * self.group_size}"
            )
        return self


TRL_NAMES = {
    "max_steps": "max_steps",
    "learning_rate": "learning_rate",
    "schedule": "lr_scheduler_type",
    "weight_decay": "weight_decay",
    "max_gradient_norm": "max_grad_norm",
}
"""Our knob → TRL's name for it. Naming one twice is an error."""
TRL_NAMES_OF = {
    "sft": TRL_NAMES | {"packing": "packing", "max_tokens": "max_length"},
    "grpo": TRL_NAMES
    | {
        "rollouts_per_step": "generation_batch_size",
        "group_size": "num_generations",
        "max_completion_tokens": "max_completion_length",
        "temperature": "temperature",
        "kl": "beta",
        "entropy_bonus": "entropy_coef",
        "loss": "loss_type",
    },
}
"""The same with each trainer's own."""
OURS_OF_TRL = {
    "seed": "seed",
    "optim": "kernels.optimizer",
    "scale_rewards": "advantage.kind",
    "reward_weights": "rewards.0.weight",
    "multi_objective_aggregation": "rewards.0.weight",
    "save_strategy": "checkpoints.every_steps",
    "save_steps": "checkpoints.every_steps",
    "save_total_limit": "checkpoints.keep",
}
"""TRL's name → the knob outside `train` that stands for it."""
