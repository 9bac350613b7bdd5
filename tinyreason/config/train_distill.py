"""On-policy distillation: its options, and which model teaches."""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.config.train_base import TrainRollouts
from tinyreason.schema import Schema

ROLLOUT = "rollout"
"""A demonstration that is another of the student's own completions of the same problem, a correct one."""
SELF, STAGE = "self", "stage"
"""Names of a teacher that is no other model: the student before training, and what the run's last stage left."""
OF_ANOTHER_LOSS = (
    "beta",
    "epsilon",
    "epsilon_high",
    "loss_type",
    "entropy_coef",
    "num_iterations",
    "gradient_accumulation_steps",
)
"""Options of TRL's GRPO that change a loss which a distillation does not have."""


class TeacherModel(Schema):
    """The model whose next-token probabilities a distillation follows; its tokenizer is the student's."""

    name: str
    """A run, adapter, model folder, GGUF file or hub id; self = the student untrained, stage = the last stage's end."""
    demonstration: Literal[False, True, "rollout"] = False
    """Whether it reads, below the problem, the row's completion or gold answer; rollout = another, correct one."""
    update_rate: float = Field(0.0, ge=0, le=1)
    """Of self: how far it moves to the student after each step, an average of it (SDFT: 0.05); 0 = it stays."""
    gguf_file: str | None = None
    """Name of the GGUF file in that folder or hub id to read instead of safetensors; it is dequantised."""
    quantize: Literal["none", "nf4", "int8"] = "none"
    """How bitsandbytes holds its weights: NF4 with double quantisation, LLM.int8, or as they are."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """Number format that it computes in; auto = what card or CPU is made for."""
    trust_remote_code: bool = False
    """Runs Python code that comes with it; off unless you trust its author."""

    @property
    def is_of_a_stage(self) -> bool:
        """Whether it is what the run's last stage left."""
        return self.name == STAGE

    def describe(self) -> str:
        """Returns in words which model it is, and what it reads."""
        was = f"on average, {self.update_rate:g} of the way each step" if self.update_rate else "before training"
        own = {SELF: f"the student itself, as it is {was}", STAGE: "what the last stage leaves"}
        held = f" in {self.quantize}" if self.quantize != "none" else ""
        shows = {False: "", True: ", shown each row's completion or gold answer", ROLLOUT: ", shown a correct rollout"}
        return f"{own.get(self.name, self.name)}{held}{shows[self.demonstration]}"

    def check(self, run, path: str) -> None:
        trains = (run.train, *(stage.train for stage in run.stages if stage.train))
        if not any(train.needs_teacher for train in trains):
            raise ValueError(f"{path} has nothing to teach: trainer {run.trainer} takes none; leave it out")
        if self.name == SELF and not self.demonstration:
            raise ValueError(
                f"{path}.name=self teaches the student what it knows; type {path}.demonstration=true, or name another"
            )
        if self.update_rate and self.name != SELF:
            raise ValueError(
                f"{path}.update_rate={self.update_rate:g} averages the student itself, and {self.name} is another "
                f"model; type {path}.name=self, or leave it out"
            )
        if (self.gguf_file or self.name.lower().endswith(".gguf")) and self.quantize != "none":
            raise ValueError(
                f"{path}.quantize={self.quantize} is not for a GGUF file, which is dequantised; leave it out"
            )
        if self.name == STAGE and not (run.stages and run.train.needs_teacher):
            raise ValueError(f"{path}.name=stage is what the run's last stage left, and there are no stages before it")


class TrainDistill(TrainRollouts):
    """On-policy distillation: at each token of its own rollouts the student follows a teacher.

    Paper: On-Policy Distillation of Language Models (GKD), arXiv 2306.13649.

    loss = mean over the completions' tokens of D(student, teacher) over the whole vocabulary, a generalised
    Jensen-Shannon divergence: β = 1 is KL(student ‖ teacher), β = 0 KL(teacher ‖ student), between them
    β · KL(teacher ‖ m) + (1 − β) · KL(student ‖ m) with m = (1 − β) · student + β · teacher. It reads no gold answer.
    """

    needs_teacher: ClassVar[bool] = True
    shares_prompts: ClassVar[bool] = False
    trl_trainer: ClassVar[str] = "grpo"

    kind: Literal["distill"] = "distill"
    """The trainer; it comes from `trainer:`."""
    group_size: int = Field(2, ge=2)
    """Completions of one problem; nothing compares them, so more problems a step teach more (TRL: num_generations)."""
    beta: float = Field(1.0, ge=0, le=1)
    """1 = reverse KL, which seeks what the teacher finds likely; 0 = forward KL, which covers all that it may say."""

    @property
    def kl(self) -> float:
        """The weight of a KL penalty to a reference, which there is not."""
        return 0.0

    def average_rate(self, run) -> float:
        return run.teacher_model.update_rate

    def check(self, run, path: str) -> None:
        if run.teacher_model is None:
            raise ValueError(f"trainer {self.kind} needs a teacher, as in teacher_model: {{name: FOLDER}}")
        for name in OF_ANOTHER_LOSS:
            if name in run.trl:
                raise ValueError(f"trl.{name} is of GRPO's loss, which a distillation has not; leave it out")
