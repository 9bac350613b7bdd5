"""RunConfig: everything that decides a run, validated, every knob with its help text under it."""

import os
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from tinyreason.adapters import ADAPTERS
from tinyreason.algorithms.advantages import ADVANTAGES
from tinyreason.algorithms.rewards import REWARDS, check_rewards
from tinyreason.config.describe import explained
from tinyreason.config.describe import option_help as option_help
from tinyreason.config.train_config import OURS_OF_TRL, TRL_NAMES_OF, TrainGrpo, TrainSft
from tinyreason.data import DATA
from tinyreason.schema import Schema, one_of

TIERS = ("sandbox", "t4", "24gb", "80gb")


class Model(Schema):
    """Which base model."""

    name: str
    """`sandbox`, a local folder, or a hub id"""
    quantize: Literal["none", "nf4", "int8"] = "none"
    """how bitsandbytes holds the frozen weights: NF4 with double quantisation, LLM.int8, or as they are"""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """what the base computes in; auto = bfloat16 from Ampere on, float16 before, float32 on a CPU"""
    trust_remote_code: bool = False
    """run Python code that comes with the model; off unless you trust its author"""


class Kernels(Schema):
    """Faster code for the card; auto takes what the card and the installed packages allow."""

    attention: Literal["auto", "flash_attention_2", "sdpa", "eager"] = "auto"
    """FlashAttention-2 (flash-attn), PyTorch's own fused attention, or plain matrices"""
    fused: Literal["auto", "liger", "off"] = "auto"
    """Liger's fused norm, rotary embedding and MLP"""
    optimizer: Literal["auto", "adamw", "adamw_8bit", "paged_adamw_8bit"] = "auto"
    """AdamW of torch, or of bitsandbytes with 8-bit states that may page out to the CPU (TRL: optim)"""


class Warmup(Schema):
    """Supervised fine-tuning of the run's own adapter before GRPO; what comes after is measured against it."""

    data: one_of(DATA)
    """the solutions to imitate"""
    train: TrainSft
    """the knobs of its steps"""
    adapter: str | None = None
    """folder of the adapter that an earlier run's warm-up left, taken as it is; null = train it"""


class Evaluation(Schema):
    """The comparison before and after, on problems that are not trained on."""

    data: one_of(DATA) | None = None
    """where the problems come from; null = held out from the training data's own source"""
    problems: int = Field(256, ge=1)
    """how many"""
    samples: int = Field(4, ge=1)
    """replies to each"""
    temperature: float = Field(1.0, ge=0)
    """of those replies; 0 = greedy"""
    max_completion_tokens: int | None = Field(None, ge=1)
    """longest reply; null = as in training"""
    batch_size: int = Field(32, ge=1)
    """replies drawn at once; as many as the memory holds"""


class Validation(Schema):
    """Problems of a third kind, neither trained on nor in the evaluation, that choose the checkpoint to keep."""

    problems: int = Field(64, ge=1)
    """how many, one reply each"""
    every_steps: int = Field(10, ge=1)
    """how often they are asked"""


class Checkpoints(Schema):
    """What a run that is cut short goes on from."""

    every_steps: int | None = Field(None, ge=1)
    """how often one is written; null = after every step, less often where that took over 5 % of the time"""
    keep: int | None = Field(3, ge=1)
    """how many are kept; null = all"""


class Expected(Schema):
    """What a run on this tier should reach; the end of the run is held against it."""

    accuracy: float = Field(ge=0, le=1)
    """after training, at least"""
    tokens_cut: float | None = Field(None, gt=0, lt=1)
    """share of the start's mean tokens that is saved, at least"""
    gain_points: float | None = None
    """lower end of the gain's interval, percentage points, at least"""
    minutes: float | None = Field(None, gt=0)
    """whole run, at most"""


class RunConfig(Schema):
    """Everything that decides a run."""

    recipe: str
    """the recipe's name"""
    tier: Literal["sandbox", "t4", "24gb", "80gb"]
    """machine class whose values these are"""
    about: str
    """one line"""
    paper: str
    """where the method comes from"""
    trainer: Literal["grpo", "sft"]
    """the training loop"""
    model: Model
    prompt: Literal["plain", "boxed"] = "boxed"
    """how a problem is put to the model: as it is, or with the request for a boxed answer"""
    data: one_of(DATA)
    critiques: dict[str, Any] | None = None
    """critiques of attempts at the data's problems are built first and trained on: a `CritiqueOrder` without data"""
    rewards: tuple[one_of(REWARDS), ...] = ()
    """what GRPO maximises, their weighted sum"""
    advantage: one_of(ADVANTAGES) | None = None
    """how GRPO compares the rollouts of a group"""
    adapter: one_of(ADAPTERS)
    train: one_of({"grpo": TrainGrpo, "sft": TrainSft})
    warmup: Warmup | None = None
    """what the adapter learns before GRPO; it is the start that is measured, and the KL leash holds to it"""
    kernels: Kernels = Kernels()
    evaluation: Evaluation = Evaluation()
    validation: Validation | None = None
    """null = the last step is kept"""
    checkpoints: Checkpoints = Checkpoints()
    trl: dict[str, Any] = {}
    """passed on to TRL's config as it is"""
    seed: int = Field(0, ge=0)
    """of the adapter's start, the rollouts and the order of the data"""
    expected: Expected | None = None
    """null = nobody has run this tier"""
    measured: str = "not yet"
    """what was seen when this tier was run, and on what"""

    def critique_build_config(self):
        """The `CritiqueOrder` of this run's `critiques`; imported late, as few runs have one."""
        from tinyreason.config.build_config import CritiqueBuildConfig

        try:
            return CritiqueBuildConfig(data=self.data, **self.critiques)
        except (ValidationError, TypeError) as error:
            first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": ("data",), "msg": str(error)}
            raise ValueError(f"critiques.{'.'.join(map(str, first['loc']))}: {first['msg']}") from None

    @property
    def learning_rate(self) -> float:
        return self.train.learning_rate or self.adapter.default_learning_rate

    @property
    def warmup_config(self) -> "RunConfig":
        """The warm-up as a run of its own."""
        none = {"rewards": (), "advantage": None, "validation": None, "warmup": None, "trl": {}}
        return self.model_copy(update={"trainer": "sft", "data": self.warmup.data, "train": self.warmup.train, **none})

    def explained(self) -> str:
        """The whole config as YAML-like lines, every knob with its help."""
        return "\n".join(explained(self))

    @model_validator(mode="before")
    @classmethod
    def sections_share(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        if isinstance(values.get("train"), dict):
            values = values | {"train": {"kind": values.get("trainer")} | values["train"]}
        return values

    @model_validator(mode="after")
    def knobs_agree(self) -> Self:
        if self.train.kind != self.trainer:
            raise ValueError(f"train.kind={self.train.kind} is not the trainer; it is left out, or {self.trainer}")
        if self.trainer == "grpo" and not (self.rewards and self.advantage):
            raise ValueError("trainer grpo needs rewards and an advantage, as in rewards: [{kind: correctness}]")
        if self.trainer == "grpo":
            check_rewards(self.rewards, self.train.tightest_limit)
        if self.advantage and self.advantage.kind == "gfpo" and self.advantage.keep >= self.train.group_size:
            raise ValueError(
                f"advantage.keep={self.advantage.keep} keeps all of a group of {self.train.group_size}; keep fewer, or "
                f"raise train.group_size"
            )
        if self.warmup and self.trainer != "grpo":
            raise ValueError("warmup: comes before GRPO; with trainer sft give all data as data:")
        if self.warmup and self.adapter.start:
            raise ValueError("warmup: and adapter.start are two beginnings; give one of them")
        if self.critiques is not None:
            self.critique_build_config()
        if self.trainer == "sft" and (self.rewards or self.advantage):
            raise ValueError("trainer sft takes no rewards and no advantage; trainer grpo does")
        for option, name in (TRL_NAMES_OF[self.trainer] | {"micro_batch_size": "per_device_train_batch_size"}).items():
            if name in self.trl:
                raise ValueError(f"trl.{name} is train.{option} here; type train.{option}={self.trl[name]}")
        for name, option in OURS_OF_TRL.items():
            if name in self.trl:
                raise ValueError(f"trl.{name} is {option} here; set {option} instead")
        if self.model.quantize not in ("none", *self.adapter.quantized_bases):
            raise ValueError(
                f"adapter {self.adapter.kind} with these switches cannot sit on a base with "
                f"model.quantize={self.model.quantize}; it can on {', '.join(('none', *self.adapter.quantized_bases))}"
            )
        for path, data in (("data", self.data), ("evaluation.data", self.evaluation.data)):
            if self.tier == "sandbox" and data and data.name and not data.family:
                raise ValueError(
                    f"the sandbox tier never uses the network, and {path}.name={data.name} is a hub id; "
                    f"give a local file with {path}.file=, or choose another tier with --on"
                )
        if self.tier == "sandbox" and self.model.name != "sandbox" and not os.path.exists(self.model.name):
            raise ValueError(
                f"the sandbox tier never uses the network, and model.name={self.model.name} is neither 'sandbox' nor "
                f"a local folder; choose another tier with --on"
            )
        return self
