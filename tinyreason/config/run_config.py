"""RunConfig: everything that decides a run, validated, every option with its help text under it."""

from typing import Any, Literal, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from tinyreason.adapters import ADAPTERS
from tinyreason.algorithms.advantages import ADVANTAGES, OwnAdvantage
from tinyreason.algorithms.rewards import REWARDS, OwnReward
from tinyreason.algorithms.rollouts import ROLLOUTS, ThoughtBudget
from tinyreason.algorithms.samplers import SAMPLERS, OwnSampler
from tinyreason.config.describe import explained, sections
from tinyreason.config.inference import Inference
from tinyreason.config.model import Model
from tinyreason.config.processes import check_processes, is_sampled_by_trl, micro_rows
from tinyreason.config.stage import Stage, Warmup, check_carried, laid_over_the_run
from tinyreason.config.tiers import TIERS
from tinyreason.config.train_base import OURS_OF_TRL
from tinyreason.config.train_config import TRAINERS
from tinyreason.config.train_distill import TeacherModel
from tinyreason.config.trl_options import check_trl_options
from tinyreason.data import DATA, OwnData
from tinyreason.prompts import PROMPTS, other_ways
from tinyreason.schema import Schema, one_of, one_or_several

CHECKED_PROBLEMS = 64
"""The template check asks so many problems of an evaluation again, once in each of the other ways."""


class Kernels(Schema):
    """Faster code for the card; auto takes what the card and the installed packages allow."""

    attention: Literal["auto", "flash_attention_2", "sdpa", "eager"] = "auto"
    """Attention: FlashAttention-2 (flash-attn), PyTorch's own fused one (sdpa), or plain matrices (eager)."""
    fused: Literal["auto", "liger", "off"] = "auto"
    """Liger's fused norm, rotary embedding and MLP, or none."""
    optimizer: Literal["auto", "adamw", "adamw_8bit", "paged_adamw_8bit"] = "auto"
    """AdamW of torch (auto), or of bitsandbytes with 8-bit states that may page out to the CPU (TRL: optim)."""


class Evaluation(Schema):
    """The comparison before and after, on problems that are not trained on."""

    data: one_of(DATA, OwnData) | None = None
    """Where the problems come from; null = held out from the training data's own source."""
    problems: int = Field(256, ge=1)
    """Number of held-out problems in the evaluation."""
    samples: int = Field(4, ge=1)
    """Completions sampled for each problem."""
    temperature: float = Field(1.0, ge=0)
    """Temperature at which they are sampled; 0 = greedy."""
    max_completion_tokens: int | None = Field(None, ge=1)
    """Length of the longest completion, in tokens; null = train.max_completion_tokens."""
    batch_size: int = Field(32, ge=1)
    """Completions sampled at once; as many as the memory holds."""
    template_check: bool = True
    """Whether the baseline is also asked without its chat template and with the other prompt, 64 problems once each."""

    @field_validator("data", mode="before")
    @classmethod
    def data_are_problems(cls, values: Any) -> Any:
        """Takes a source without a kind for problems."""
        return {"kind": "problems"} | values if isinstance(values, dict) else values


class Validation(Schema):
    """Problems neither trained on nor in the evaluation, whose accuracy selects the checkpoint that is kept."""

    problems: int = Field(64, ge=1)
    """Number of problems, one completion each."""
    every_steps: int = Field(10, ge=1)
    """Steps from one validation to the next."""


class Checkpoints(Schema):
    """What an interrupted run resumes from."""

    every_steps: int | None = Field(None, ge=1)
    """Steps from one checkpoint to the next; null = each, fewer over 5 % of the time or on a cloud drive."""
    keep: int | None = Field(3, ge=1)
    """Number of checkpoints that are kept; null = all."""


class Expected(Schema):
    """What a run on this tier should reach; its end is compared with this."""

    accuracy: float = Field(ge=0, le=1)
    """Least accuracy after training."""
    tokens_cut: float | None = Field(None, gt=0, lt=1)
    """Least share of the baseline's mean tokens that is saved."""
    gain_points: float | None = None
    """Least lower end of the gain's interval, in percentage points."""
    minutes: float | None = Field(None, gt=0)
    """Most minutes that the whole run takes."""


USUAL: Any = Field({}, validate_default=True)
"""A section that nobody gave; an instance here would have its class built at every start-up."""


class RunConfig(Schema):
    """Everything that decides a run."""

    recipe: str
    """Name of the recipe."""
    tier: Literal[*TIERS]
    """Class of machines whose values these are."""
    about: str = ""
    """What the recipe is, in one line."""
    paper: str = ""
    """Where the method comes from."""
    trainer: Literal[*TRAINERS]
    """The training loop."""
    model: Model
    prompt: Literal[*PROMPTS] = "boxed"
    """How a problem is put: as it is, twice (re2), with a request for a box, for tags, a confidence or follow-ups."""
    template_options: dict[str, Any] = {}
    """Options of the model's chat template, in training and evaluation, as {enable_thinking: false}."""
    data: one_of(DATA, OwnData)
    teacher_model: TeacherModel | None = None
    """Whose next-token probabilities trainer distill follows."""
    critiques: dict[str, Any] | None = None
    """Build config, less its data, of the critiques of attempts at `data` that are built first and trained on."""
    rewards: tuple[one_of(REWARDS, OwnReward), ...] = ()
    """What GRPO maximises: the weighted sum of these."""
    advantage: one_or_several(one_of(ADVANTAGES, OwnAdvantage)) | None = None
    """How GRPO compares the rollouts of a group: one, or a list of an estimator and what shapes its advantages."""
    samplers: tuple[one_of(SAMPLERS, OwnSampler), ...] = ()
    """What decides which problems GRPO asks, which rollouts it trains on, and how warm they are."""
    rollouts: one_of(ROLLOUTS) | None = None
    """What GRPO's groups hold beside the policy's own answers; null = nothing."""
    adapter: one_of(ADAPTERS)
    train: one_of(TRAINERS)
    warmup: Warmup | None = None
    """What the adapter learns before GRPO; the baseline is measured after it, and the KL penalty holds to it."""
    stages: tuple[Stage, ...] = ()
    """What the adapter is trained by after a warm-up and before the run's own training, in this order."""
    kernels: Kernels = USUAL
    inference: Inference = USUAL
    evaluation: Evaluation = USUAL
    validation: Validation | None = None
    """What selects the checkpoint that is kept; null = the last step is kept."""
    checkpoints: Checkpoints = USUAL
    trl: dict[str, Any] = {}
    """Options passed on to TRL's config as they are."""
    processes: int = Field(1, ge=1, le=64)
    """Processes that share each step and each evaluation, on the cores or cards of one machine."""
    seed: int = Field(0, ge=0)
    """Seed of the adapter's start, the rollouts and the order of the data."""
    expected: Expected | None = None
    """What the run should reach; null = nobody has run this tier."""
    measured: str = "not yet"
    """What was seen when this tier was run, and on what machine."""

    def critique_build_config(self):
        """Returns the `CritiqueBuildConfig` of this run's `critiques`; imported late, as few runs have one."""
        from tinyreason.config.build_config import CritiqueBuildConfig

        try:
            return CritiqueBuildConfig(data=self.data, **self.critiques)
        except (ValidationError, TypeError) as error:
            first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": ("data",), "msg": str(error)}
            raise ValueError(f"critiques.{'.'.join(map(str, first['loc']))}: {first['msg']}") from None

    @property
    def is_offline(self) -> bool:
        """Whether its tier never uses the network."""
        return TIERS[self.tier].is_offline

    @property
    def micro_rows(self) -> int:
        """Rows of one backward pass."""
        return micro_rows(self.train, self.processes)

    @property
    def learning_rate(self) -> float:
        on_sandbox = self.adapter.sandbox_learning_rate if self.model.is_built_in else None
        return self.train.learning_rate or on_sandbox or self.adapter.default_learning_rate

    @property
    def advantages(self) -> tuple[Any, ...]:
        """The estimator, and what shapes its advantages, in their order."""
        if self.advantage is None:
            return ()
        return self.advantage if isinstance(self.advantage, tuple) else (self.advantage,)

    @property
    def compared_by(self) -> str:
        """What messages call the advantage."""
        return " + ".join(advantage.kind for advantage in self.advantages)

    @property
    def token_needs(self) -> frozenset[str]:
        """What of the sampled tokens its rewards, advantages, samplers and rollouts read, or rollouts.jsonl holds."""
        recorded = {"logp"} if getattr(self.train, "record_logp", False) else set()
        leaves = (*self.rewards, *self.advantages, *self.samplers, *([self.rollouts] if self.rollouts else []))
        return frozenset(recorded).union(*(leaf.needs for leaf in leaves))

    @property
    def thought_budget(self) -> ThoughtBudget | None:
        """How thoughts that are too short continue, in training and evaluation; None where they end as they do."""
        return self.rollouts.thought_budget if self.rollouts else None

    @property
    def is_sampled_by_trl(self) -> bool:
        """Whether TRL samples the rollouts itself."""
        return is_sampled_by_trl(self)

    @property
    def average_rate(self) -> float:
        """How far a running average of what is trained follows each step; 0 = there is none."""
        return self.train.average_rate(self)

    @property
    def trained_copies(self) -> int:
        """How many copies of the trained numbers are held beside them from step to step."""
        return (self.average_rate > 0) + (self.train.steps_back is not None)

    @property
    def reference_passes(self) -> int:
        """How often a step's rollouts are scored by the reference."""
        return self.train.has_kl_penalty + ("ref_logp" in self.token_needs)

    @property
    def evaluations(self) -> int:
        """How often its evaluation is asked: before and after, and of the bare base where it starts from an adapter."""
        return 3 if self.adapter.start else 2

    @property
    def other_way_completions(self) -> int:
        """How many completions the template check samples."""
        if not self.evaluation.template_check:
            return 0
        return len(other_ways("chat", self.prompt)) * min(CHECKED_PROBLEMS, self.evaluation.problems)

    @property
    def training_sources(self) -> list[Any]:
        """Where what it trains on comes from: its data, and those of its warm-up and stages."""
        of_stages = [stage.data for stage in self.stages if stage.data]
        return [self.data, *([self.warmup.data] if self.warmup else []), *of_stages]

    @property
    def warmup_config(self) -> "RunConfig":
        """The warm-up as a run of its own."""
        none = {
            "rewards": (),
            "advantage": None,
            "samplers": (),
            "rollouts": None,
            "validation": None,
            "teacher_model": None,
            "warmup": None,
            "trl": {},
        }
        train = self.warmup.train
        return self.model_copy(update={"trainer": train.kind, "data": self.warmup.data, "train": train, **none})

    @property
    def stage_configs(self) -> "list[tuple[Stage, RunConfig]]":
        """Each stage with what it is as a run of its own, the repeated ones several times."""
        repeated = [stage for stage in self.stages for _ in range(stage.repeat)]
        return [(stage, stage.over(self, number)) for number, stage in enumerate(repeated, 1)]

    def explained(self) -> str:
        """Returns the whole config as YAML-like lines, every option with its help."""
        return "\n".join(explained(self))

    @model_validator(mode="before")
    @classmethod
    def sections_share(cls, values: Any) -> Any:
        """Has the trainer pick the class of the `train` section."""
        if isinstance(values, dict) and isinstance(values.get("train"), dict):
            values = values | {"train": {"kind": values.get("trainer")} | values["train"]}
            values = laid_over_the_run(values)
        return values

    @field_validator("adapter", mode="before")
    @classmethod
    def adapter_fits_the_sandbox(cls, values: Any, others: ValidationInfo) -> Any:
        """Gives an adapter of the sandbox's base the values that suit its narrow layers, where none are given."""
        model, kind = others.data.get("model"), values.get("kind") if isinstance(values, dict) else None
        if model is None or not model.is_built_in or not isinstance(kind, str) or kind not in ADAPTERS:
            return values
        return ADAPTERS[kind].on_sandbox | values

    @field_validator("evaluation")
    @classmethod
    def evaluation_is_as_long_as_training(cls, evaluation: Evaluation, others: ValidationInfo) -> Evaluation:
        """Gives an evaluation without a token limit of its own that of the training."""
        train = others.data.get("train")  # not there where it is itself invalid
        if train is None or evaluation.max_completion_tokens is not None:
            return evaluation
        return evaluation.model_copy(update={"max_completion_tokens": train.max_completion_tokens})

    @model_validator(mode="after")
    def sections_agree(self, info: ValidationInfo) -> Self:
        """Checks the run's own rules, then those of every section, each of which knows what it needs of the others.

        With `is_past` in the context the run is one of the past, whose base may be elsewhere by now.
        """
        is_past = (info.context or {}).get("is_past")
        if not (info.context or {}).get("is_stage"):
            check_carried(self)
        trainer, train = self.trainer, self.train
        if train.kind != trainer:
            raise ValueError(f"train.kind={train.kind} is not the trainer; it is left out, or {trainer}")
        if train.needs_rewards and not (self.rewards and self.advantage):
            raise ValueError(
                f"trainer {trainer} needs rewards and an advantage, as in rewards: [{{kind: correctness}}]"
            )
        if not train.needs_rewards and (self.rewards or self.advantage or self.samplers or self.rollouts):
            others = " or ".join(name for name, kind in TRAINERS.items() if kind.needs_rewards)
            raise ValueError(
                f"trainer {trainer} takes no rewards, advantage, samplers or rollouts; trainer {others} does"
            )
        for path, section in sections(self):
            if path.startswith("stages."):
                if not is_past and section in self.stages:  # which checks its own sections, each against its own run
                    section.check(self, path)
            elif not (is_past and section is self.model):
                section.check(self, path)
        if self.critiques is not None:
            self.critique_build_config()
        for option, name in (train.trl_names | {"micro_batch_size": "per_device_train_batch_size"}).items():
            if name in self.trl:
                raise ValueError(f"trl.{name} is train.{option} here; type train.{option}={self.trl[name]}")
        for name, option in OURS_OF_TRL.items():
            if name in self.trl:
                raise ValueError(f"trl.{name} is {option} here; set {option} instead")
        check_trl_options(self.trl, train.trl_trainer or trainer)
        check_processes(self)
        return self
