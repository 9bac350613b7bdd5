"""What every training loop has: its options, TRL's names for them, and what others ask of a trainer."""

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from tinyreason.schema import Schema

TRL_NAMES = {
    "max_steps": "max_steps",
    "learning_rate": "learning_rate",
    "schedule": "lr_scheduler_type",
    "weight_decay": "weight_decay",
    "max_gradient_norm": "max_grad_norm",
}
"""Option of every trainer → TRL's name for it. Naming one twice is an error."""
ROLLOUT_NAMES = TRL_NAMES | {
    "rollouts_per_step": "generation_batch_size",
    "group_size": "num_generations",
    "max_completion_tokens": "max_completion_length",
    "temperature": "temperature",
}
"""The same of every trainer that samples rollouts."""
OURS_OF_TRL = {
    "seed": "seed",
    "optim": "kernels.optimizer",
    "chat_template_kwargs": "template_options",
    "scale_rewards": "advantage.kind",
    "reward_weights": "rewards.0.weight",
    "multi_objective_aggregation": "rewards.0.weight",
    "steps_per_generation": "train.rollouts_per_step",
    "save_strategy": "checkpoints.every_steps",
    "save_steps": "checkpoints.every_steps",
    "save_total_limit": "checkpoints.keep",
}
"""TRL's name → the option outside `train` that stands for it."""
DRY_RUN_ROLLOUTS = 16
DRY_RUN_ROWS = 2
LONGEST_ROW = 8192
"""Rows of a dry run that are longer than this are left out."""
SANDBOX_TOKENS = 4
"""The sandbox's tokenizer, which knows few words, makes about this many tokens of another tokenizer's one."""


class Train(Schema):
    """Options of every training loop; all others of TRL are reached through `trl:`."""

    needs_rewards: ClassVar[bool] = False  # whether it maximises the rewards of rollouts, compared by an advantage
    needs_completions: ClassVar[bool] = False  # whether each row of its data brings a completion to imitate
    needs_teacher: ClassVar[bool] = False  # whether a model teaches it, `teacher_model`
    shares_prompts: ClassVar[bool] = True  # whether rollouts that begin alike go through the model once in its loss
    trl_trainer: ClassVar[str | None] = None  # whose config TRL has for it; None = that of its own name
    trl_names: ClassVar[dict[str, str]] = TRL_NAMES  # option → TRL's name for it
    tokens_option: ClassVar[str] = "max_completion_tokens"  # the option that bounds a row

    max_steps: int = Field(ge=1)
    """Number of optimizer steps."""
    token_budget: int | None = Field(None, ge=1)
    """Ends training at the step by which so many completion tokens were sampled and trained on; null = max_steps."""
    micro_batch_size: int | None = Field(None, ge=1)
    """Rows of one backward pass; null = all rows of a step at once (TRL: per_device_train_batch_size)."""
    max_completion_tokens: int = Field(ge=1)
    """Length of the longest completion, in tokens (TRL: max_completion_length)."""
    learning_rate: float | None = Field(None, gt=0)
    """Learning rate at its highest; null = the adapter's own default."""
    schedule: Literal["constant", "linear", "cosine", "cosine_with_min_lr"] = "constant"
    """How the learning rate falls over the steps (TRL: lr_scheduler_type)."""
    weight_decay: float = Field(0.0, ge=0)
    """Weight decay of AdamW."""
    max_gradient_norm: float = Field(1.0, gt=0)
    """Norm to which gradients are clipped (TRL: max_grad_norm)."""

    @property
    def rows_per_step(self) -> int:
        """Rows that a step trains on."""
        raise NotImplementedError

    @property
    def micro_rows(self) -> int:
        """Rows of one backward pass."""
        return self.micro_batch_size or self.rows_per_step

    @property
    def generated_rows(self) -> int:
        """Completions that the model samples for each step."""
        return 0

    @property
    def sampling_dtype(self) -> str:
        """The number format that they are sampled in; auto = the base's."""
        return "auto"

    def prompts_of(self, rows: int) -> int:
        """Returns how many prompts the rows of one backward pass have at the most."""
        return rows

    @property
    def has_kl_penalty(self) -> bool:
        """Whether each step also scores its rows with the reference model."""
        return False

    @property
    def has_entropy_bonus(self) -> bool:
        return False

    @property
    def steps_back(self) -> float | None:
        """Share of the updates on a batch of rollouts that is kept before the last of them; None = all of it."""
        return None

    def average_rate(self, run) -> float:
        """Returns how far a running average of the trained numbers, which training is held to, follows each step."""
        return 0.0

    @property
    def token_limit(self) -> int:
        """The value of the option that bounds a row."""
        return getattr(self, self.tokens_option)

    def row_tokens(self, prompt_tokens: int) -> int:
        """Returns the tokens of the longest row that is trained on, where the longest prompt has `prompt_tokens`."""
        raise NotImplementedError

    def scored_tokens(self, prompt_tokens: int, on_cpu: bool) -> int:
        """Returns the tokens of such a row whose log-probabilities are computed."""
        return self.row_tokens(prompt_tokens)

    def dry_run_overrides(self) -> dict[str, int]:
        """Returns option → its value in a dry run: few rows a step, of a length that a CPU bears."""
        raise NotImplementedError

    def longest_overrides(self) -> dict[str, Any]:
        """Returns option of the run → the value that makes every sampled completion as long as it may be."""
        return {}

    @model_validator(mode="after")
    def micro_batches_divide(self) -> Self:
        rows, micro = self.rows_per_step, self.micro_rows
        if rows % micro:
            fitting = max(size for size in range(1, micro) if rows % size == 0)
            raise ValueError(
                f"a step of {rows} rows is not a multiple of micro_batch_size={micro}; "
                f"try train.micro_batch_size={fitting}"
            )
        return self


class TrainRollouts(Train):
    """What every loop has that trains on completions which the model samples itself."""

    trl_names: ClassVar[dict[str, str]] = ROLLOUT_NAMES

    rollouts_per_step: int = Field(64, ge=2)
    """Completions sampled for each step: groups × group size (TRL: generation_batch_size)."""
    group_size: int = Field(8, ge=2)
    """Completions of one problem that are compared with each other (TRL: num_generations)."""
    temperature: float = Field(1.0, gt=0)
    """Temperature at which the rollouts are sampled."""
    record_logp: bool = False
    """Writes each rollout's log-probability to rollouts.jsonl, for train.loss=topr; a pass more if not at hand."""

    @property
    def rows_per_step(self) -> int:
        return self.rollouts_per_step

    @property
    def generated_rows(self) -> int:
        return self.rollouts_per_step

    def limit_at(self, step: int) -> int:
        """Returns the token limit of the rollouts at a step, 1, 2, …; the evaluation keeps its own."""
        return self.max_completion_tokens

    def row_tokens(self, prompt_tokens: int) -> int:
        return prompt_tokens + self.max_completion_tokens

    def scored_tokens(self, prompt_tokens: int, on_cpu: bool) -> int:
        return self.row_tokens(prompt_tokens) if on_cpu else self.max_completion_tokens

    def dry_run_overrides(self) -> dict[str, int]:
        group = min(self.group_size, DRY_RUN_ROLLOUTS // 2)
        return {"group_size": group, "rollouts_per_step": min(self.rollouts_per_step, 2 * group)}

    def longest_overrides(self) -> dict[str, Any]:
        return {"trl.generation_kwargs.min_new_tokens": self.max_completion_tokens}

    @model_validator(mode="after")
    def batches_divide(self) -> Self:
        if self.rollouts_per_step % self.group_size:
            raise ValueError(
                f"rollouts_per_step={self.rollouts_per_step} is not a multiple of group_size={self.group_size}; "
                f"try train.rollouts_per_step={max(1, self.rollouts_per_step // self.group_size) * self.group_size}"
            )
        return self
