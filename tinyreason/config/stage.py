"""What a run does before its own training: the warm-up, and the stages that hand their adapter on."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError

from tinyreason.algorithms.advantages import ADVANTAGES, OwnAdvantage
from tinyreason.algorithms.rewards import REWARDS, OwnReward
from tinyreason.algorithms.rollouts import ROLLOUTS
from tinyreason.algorithms.samplers import SAMPLERS, OwnSampler
from tinyreason.config.train_config import TRAINERS, TrainSft
from tinyreason.config.until import UNTIL
from tinyreason.data import DATA, OwnData
from tinyreason.data.rollouts import Rollouts
from tinyreason.data.sampled import Sampled
from tinyreason.schema import Schema, one_of, one_or_several

if TYPE_CHECKING:
    from tinyreason.config.run_config import RunConfig

OVERLAYS = ("data", "train", "rewards", "advantage", "samplers", "rollouts")
"""What a stage may have of its own; what it does not name is the run's."""
OF_THE_RUN = {"stages": (), "warmup": None, "validation": None, "critiques": None, "expected": None}
"""What only the run itself has."""
SEEDS_APART = 1000
"""A stage's rollouts and order come from the run's seed plus so many times its number."""


class Warmup(Schema):
    """Supervised fine-tuning of the run's own adapter before GRPO; what comes after is measured against it."""

    data: one_of(DATA, OwnData)
    """Solutions to imitate."""
    train: TrainSft
    """Options of its steps."""
    adapter: str | None = None
    """Folder of the adapter that an earlier run's warm-up left, taken as it is; null = train it."""

    def check(self, run, path: str) -> None:
        if run.train.needs_completions:
            raise ValueError(f"{path}: comes before GRPO; with trainer {run.trainer} give all data as data:")
        if run.adapter.start:
            raise ValueError(f"{path}: and adapter.start are two beginnings; give one of them")


class Stage(Schema):
    """A training before the run's own, on the same adapter; what it does not say is as in the run itself."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=40)] = "stage"
    """What it is called on the screen and in the run folder."""
    repeat: int = Field(1, ge=1)
    """How many times it is done, one after the other."""
    reference: Literal["keep", "reset"] = "keep"
    """Whether its end becomes what the KL penalty of all that follows holds to (reset), as in ProRL."""
    until: one_of(UNTIL) | None = None
    """What ends it before its last step; null = it takes all of them."""
    measure: bool = False
    """Whether the evaluation is asked after it too."""
    data: one_of(DATA, OwnData) | None = None
    """What it trains on; null = the run's data."""
    train: one_of(TRAINERS) | None = None
    """Options of its steps; of the run's own kind of trainer only those that differ. null = the run's."""
    rewards: tuple[one_of(REWARDS, OwnReward), ...] | None = None
    """What it maximises; null = the run's rewards."""
    advantage: one_or_several(one_of(ADVANTAGES, OwnAdvantage)) | None = None
    """How it compares the rollouts of a group; null = as the run."""
    samplers: tuple[one_of(SAMPLERS, OwnSampler), ...] | None = None
    """What decides which problems it asks; null = as the run."""
    rollouts: one_of(ROLLOUTS) | None = None
    """What its groups hold beside the policy's own answers; null = as the run."""

    def check(self, run, path: str) -> None:
        try:
            config = self.over(run, 1)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ValueError(f"{path}{where and '.'}{where}: {first['msg'].removeprefix('Value error, ')}") from None
        if self.until:
            self.until.check_metric(config, run, f"{path}.until")

    def over(self, run: "RunConfig", number: int) -> "RunConfig":
        """Returns this stage as a run of its own, checked; `number` is its place among all that the run does."""
        values = run.model_dump() | OF_THE_RUN
        given = {name: value for name in OVERLAYS if (value := getattr(self, name)) is not None}
        values |= {name: dumped(value) for name, value in given.items()}
        values["trainer"] = values["train"]["kind"]
        if "train" in given and not given["train"].needs_rewards:
            values |= {"rewards": (), "advantage": None, "samplers": (), "rollouts": None, "trl": {}}
        if not TRAINERS[values["trainer"]].needs_teacher:
            values["teacher_model"] = None
        values["seed"] = run.seed + SEEDS_APART * number
        return type(run).model_validate(values, context={"is_stage": True})


def check_carried(run: "RunConfig") -> None:
    """Refuses `run: previous` in data where no stage before samples anything. Errors: `ValueError`."""
    trained = [(f"stages.{n}.data", one.data or run.data, one.train or run.train) for n, one in enumerate(run.stages)]
    has_sampled = False
    for path, data, train in [*trained, ("data", run.data, run.train)]:
        if isinstance(data, Rollouts) and data.is_sampled and not has_sampled:
            raise ValueError(
                f"{path}.run=previous: no stage before samples completions; have one of GRPO or of kind sampled "
                f"before, or type {path}.run=FOLDER of a run"
            )
        has_sampled = has_sampled or train.needs_rewards or isinstance(data, Sampled)


def dumped(value: Any) -> Any:
    """Returns the plain values of a section, or of several."""
    return tuple(one.model_dump() for one in value) if isinstance(value, tuple) else value.model_dump()


def laid_over_the_run(values: dict[str, Any]) -> dict[str, Any]:
    """Returns a run's values, each stage's `train` with what the run's says of the same kind of trainer below it."""
    trainer, below = values.get("trainer"), values.get("train")
    if not isinstance(values.get("stages"), list | tuple) or not isinstance(below, dict):
        return values

    def laid(stage: Any) -> Any:
        train = stage.get("train") if isinstance(stage, dict) else None
        if not isinstance(train, dict) or train.get("kind", trainer) != trainer:
            return stage
        return stage | {"train": {"kind": trainer} | below | train}

    return values | {"stages": [laid(stage) for stage in values["stages"]]}
