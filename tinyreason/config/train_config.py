"""The training loops: one class each, with its options; what they share is in `train_base`."""

import math
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from tinyreason.algorithms.advantages import check_advantages
from tinyreason.algorithms.rewards import check_rewards
from tinyreason.algorithms.rollouts import check_readers
from tinyreason.algorithms.samplers import check_samplers
from tinyreason.config.sft_loss import SftLoss
from tinyreason.config.train_base import (
    DRY_RUN_ROWS,
    LONGEST_ROW,
    ROLLOUT_NAMES,
    SANDBOX_TOKENS,
    TRL_NAMES,
    Train,
    TrainRollouts,
)
from tinyreason.config.train_distill import TrainDistill

OF_LOSS = {"cispo": {"epsilon_high": 5.0}, "luspo": {"importance_sampling_level": "sequence"}}
"""Loss → what its options are where nobody gives them: TRL's own values would make another method of it."""
OF_SEQUENCES = ("grpo", "luspo")
"""Losses that average over rollouts, so that a ratio of the whole rollout weighs none by its length."""


class TrainSft(SftLoss, Train):
    """Supervised fine-tuning on completions: the loss is on them alone, never on the prompt."""

    needs_completions: ClassVar[bool] = True
    trl_names: ClassVar[dict[str, str]] = TRL_NAMES | {"packing": "packing", "max_tokens": "max_length"}
    tokens_option: ClassVar[str] = "max_tokens"

    kind: Literal["sft"] = "sft"
    """The trainer; it comes from `trainer:`."""
    batch_size: int = Field(16, ge=1)
    """Rows of a step."""
    max_tokens: int = Field(ge=8)
    """Length of the longest row, prompt and completion; longer ones are left out and counted (TRL: max_length)."""

    @property
    def rows_per_step(self) -> int:
        return self.batch_size

    def row_tokens(self, prompt_tokens: int) -> int:
        return self.max_tokens

    def dry_run_overrides(self) -> dict[str, int]:
        rows, longest = min(DRY_RUN_ROWS, self.batch_size), min(LONGEST_ROW, SANDBOX_TOKENS * self.max_tokens)
        return {"batch_size": rows, "max_tokens": longest}


class TrainGrpo(TrainRollouts):
    """Group-relative policy optimisation.

    With `reference_update_rate` the KL penalty holds to a running average of the policy, as T1's, whose estimator is
    rloo and which has an entropy bonus; not checked against the paper: any of its values. With `reposition` and
    trl.num_iterations=4, SFPO's, three updates on a batch are taken back in part before the fourth, until its entropy
    is a standard deviation above the last thirty; not checked against the paper: that they are then taken back whole.
    """

    needs_rewards: ClassVar[bool] = True
    trl_names: ClassVar[dict[str, str]] = ROLLOUT_NAMES | {
        "kl": "beta",
        "entropy_bonus": "entropy_coef",
        "loss": "loss_type",
        "epsilon": "epsilon",
        "epsilon_high": "epsilon_high",
        "importance_sampling_level": "importance_sampling_level",
        "top_entropy_quantile": "top_entropy_quantile",
        "mask_truncated_completions": "mask_truncated_completions",
    }

    kind: Literal["grpo"] = "grpo"
    """The trainer; it comes from `trainer:`."""
    oversample: float = Field(1.0, ge=1, le=8)
    """How many times as many rollouts are sampled as are trained on; a sampler says which of them."""
    rollout_dtype: Literal["auto", "bfloat16"] = "auto"
    """Number format they are sampled in; auto = the base's. Each token is weighted for what bfloat16 changes there."""
    kl: float = Field(0.0, ge=0)
    """Weight of the KL penalty, which holds the model to its reference; k3 estimator (TRL: beta)."""
    reference_update_rate: float = Field(0.0, ge=0, le=1)
    """How far that reference moves to the policy after each step: an average of it (T1); 0 = it stays as it began."""
    entropy_bonus: float = 0.0
    """Weight of the token entropy that is added to the objective (TRL: entropy_coef)."""
    loss: Literal["grpo", "dr_grpo", "dapo", "bnpo", "cispo", "luspo"] = "dapo"
    """How token losses are averaged: over a rollout, a constant length, or all tokens of the batch (TRL: loss_type)."""
    epsilon: float = Field(0.2, gt=0, lt=1)
    """How far below 1 the ratio to the sampling policy counts; it is 1 where rollouts are trained on once."""
    epsilon_high: float | None = Field(None, gt=0)
    """How far above 1 it counts (clip-higher: 0.28), null = epsilon; for cispo the highest ratio itself, null = 5."""
    importance_sampling_level: Literal["token", "sequence"] = "token"
    """What the ratio is of: each token, or the whole rollout (GSPO), for loss grpo and luspo, whose default that is."""
    top_entropy_quantile: float = Field(1.0, gt=0, le=1)
    """Share of the tokens that is trained on, those of highest entropy, as 0.2 (arXiv 2506.01939)."""
    reposition: float | None = Field(None, gt=0, lt=1)
    """Share of the updates on a batch that is kept before the last of them (SFPO: 0.8, with trl.num_iterations=4)."""
    mask_truncated_completions: bool = False
    """Leaves truncated completions out of the loss; they still count in their group's mean."""
    thinkprune: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Token limits in equal shares of the steps (ThinkPrune), as [4000, 3000, 2000]; truncated counts as incorrect."""

    @property
    def generated_rows(self) -> int:
        return math.ceil(self.rollouts_per_step // self.group_size * self.oversample) * self.group_size

    @property
    def sampling_dtype(self) -> str:
        return self.rollout_dtype

    def prompts_of(self, rows: int) -> int:
        groups, size = self.rollouts_per_step // self.group_size, self.group_size
        if rows < self.rollouts_per_step and (self.loss == "bnpo" or self.top_entropy_quantile < 1):  # shuffled rows
            return min(rows, groups)
        return min(groups, -(-rows // size) + (rows % size > 0 and size % rows > 0))

    @property
    def has_kl_penalty(self) -> bool:
        return self.kl > 0

    @property
    def has_entropy_bonus(self) -> bool:
        return self.entropy_bonus != 0

    @property
    def steps_back(self) -> float | None:
        return self.reposition

    def average_rate(self, run) -> float:
        return self.reference_update_rate

    @property
    def tightest_limit(self) -> int:
        """The token limit of the last step, which no other is below."""
        return (self.max_completion_tokens, *self.thinkprune)[-1]

    def limit_at(self, step: int) -> int:
        if not self.thinkprune:
            return self.max_completion_tokens
        stage = (step - 1) * len(self.thinkprune) // self.max_steps
        return self.thinkprune[min(stage, len(self.thinkprune) - 1)]

    def check(self, run, path: str) -> None:
        check_rewards(run.rewards)
        check_advantages(run.advantages)
        check_samplers(run.samplers, run)
        check_readers(run)
        usual = {"num_iterations": 1, "gradient_accumulation_steps": self.rows_per_step // self.micro_rows}
        more, less = (run.trl.get(name, value) for name, value in usual.items())
        if self.reposition is not None and (more < 2 or less != usual["gradient_accumulation_steps"]):
            raise ValueError(
                f"{path}.reposition={self.reposition:g} goes back before the last of several updates on the same "
                f"rollouts, each on all of them; type trl.num_iterations=4 and leave out "
                f"trl.gradient_accumulation_steps"
            )
        if self.reference_update_rate and not run.reference_passes:
            raise ValueError(
                f"{path}.reference_update_rate={self.reference_update_rate:g} moves a reference that nothing is held "
                f"to; type {path}.kl=0.01, or leave it out"
            )
        families = (("advantage", run.advantages), ("rollouts", [run.rollouts] if run.rollouts else []))
        for family, leaf in ((family, leaf) for family, leaves in families for leaf in leaves):
            if leaf.one_update and (more, less) != tuple(usual.values()):
                raise ValueError(
                    f"{family} {leaf.kind} holds only for rollouts that are trained on once; leave out "
                    f"{' and '.join(f'trl.{name}' for name in usual if name in run.trl)}, or take another {family}"
                )

    @model_validator(mode="before")
    @classmethod
    def loss_brings_its_own(cls, values: Any) -> Any:
        """Gives a loss the options that make it the method of its name, where none are given."""
        loss = values.get("loss") if isinstance(values, dict) else None
        for option, value in (OF_LOSS.get(loss, {}) if isinstance(loss, str) else {}).items():
            if values.get(option) is None:
                values = values | {option: value}
        return values

    @model_validator(mode="after")
    def loss_fits(self) -> Self:
        if self.loss == "cispo" and self.epsilon_high < 1:
            raise ValueError(
                f"epsilon_high={self.epsilon_high:g} is cispo's highest ratio itself, and below 1 every gradient is "
                f"multiplied by it; leave it out for 5"
            )
        if self.importance_sampling_level == "sequence" and self.loss not in OF_SEQUENCES:
            raise ValueError(
                f"importance_sampling_level=sequence with loss={self.loss} weighs rollouts by their length; type "
                f"train.loss=grpo (GSPO) or train.loss=luspo"
            )
        if self.importance_sampling_level == "token" and self.loss == "luspo":
            raise ValueError("loss=luspo takes importance_sampling_level=sequence; leave it out")
        return self

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


TRAINERS = {"grpo": TrainGrpo, "sft": TrainSft, "distill": TrainDistill}
"""The word after `trainer:` → the class of its `train:` section."""
