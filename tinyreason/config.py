"""A recipe is data: a YAML file, a tier of it, and the person's `key=value` overrides, validated as one RunConfig."""

import ast
import inspect
import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from tinyreason.adapters import ADAPTERS
from tinyreason.advantages import ADVANTAGES
from tinyreason.data import DATA
from tinyreason.errors import ConfigError, nearest
from tinyreason.rewards import REWARDS
from tinyreason.schema import Schema, one_of

PACKAGE = Path(__file__).parent
RECIPES = PACKAGE / "_recipes" if (PACKAGE / "_recipes").is_dir() else PACKAGE.parent / "recipes"
"""Inside an installed package; beside it in a checkout."""
TIERS = ("sandbox", "t4", "24gb", "80gb")


class Model(Schema):
    """Which base model."""

    name: str
    """`sandbox`, a local folder, or a hub id"""
    trust_remote_code: bool = False
    """run Python code that comes with the model; off unless you trust its author"""


class Train(Schema):
    """The knobs of the training loop; all others of TRL are reached through `trl:`."""

    max_steps: int = Field(ge=1)
    """optimizer steps"""
    rollouts_per_step: int = Field(64, ge=2)
    """completions sampled for each step, groups × group size (TRL: generation_batch_size)"""
    group_size: int = Field(8, ge=2)
    """completions of one problem that are compared with each other (TRL: num_generations)"""
    micro_batch_size: int | None = Field(None, ge=1)
    """completions a backward pass; null = all of a step at once (TRL: per_device_train_batch_size)"""
    max_completion_tokens: int = Field(ge=1)
    """longest reply (TRL: max_completion_length)"""
    temperature: float = Field(1.0, gt=0)
    """of the sampled rollouts"""
    learning_rate: float | None = Field(None, gt=0)
    """null = the adapter's own default"""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """how the learning rate falls (TRL: lr_scheduler_type)"""
    weight_decay: float = Field(0.0, ge=0)
    """of AdamW"""
    max_gradient_norm: float = Field(1.0, gt=0)
    """gradients are clipped to this norm (TRL: max_grad_norm)"""
    kl: float = Field(0.0, ge=0)
    """weight of the KL penalty to the base, k3 estimator: the leash (TRL: beta)"""
    entropy_bonus: float = 0.0
    """weight of the token entropy added to the objective (TRL: entropy_coef)"""
    loss: Literal["grpo", "dr_grpo", "dapo", "bnpo"] = "dapo"
    """how token losses are averaged: a rollout's mean, a constant length, all tokens of the batch (TRL: loss_type)"""

    @model_validator(mode="after")
    def batches_divide(self) -> Self:
        if self.rollouts_per_step % self.group_size:
            raise ValueError(
                f"rollouts_per_step={self.rollouts_per_step} is not a multiple of group_size={self.group_size}; "
                f"try train.rollouts_per_step={max(1, self.rollouts_per_step // self.group_size) * self.group_size}"
            )
        if self.micro_batch_size and self.rollouts_per_step % self.micro_batch_size:
            raise ValueError(
                f"rollouts_per_step={self.rollouts_per_step} is not a multiple of "
                f"micro_batch_size={self.micro_batch_size}; try train.micro_batch_size={self.group_size}"
            )
        return self


TRL_NAMES = {
    "max_steps": "max_steps",
    "rollouts_per_step": "generation_batch_size",
    "group_size": "num_generations",
    "micro_batch_size": "per_device_train_batch_size",
    "max_completion_tokens": "max_completion_length",
    "temperature": "temperature",
    "learning_rate": "learning_rate",
    "schedule": "lr_scheduler_type",
    "weight_decay": "weight_decay",
    "max_gradient_norm": "max_grad_norm",
    "kl": "beta",
    "entropy_bonus": "entropy_coef",
    "loss": "loss_type",
}
"""Our knob → TRL's name for it. Naming one twice is an error."""


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


class Expected(Schema):
    """What a run on this tier should reach; the end of the run is held against it."""

    accuracy: float = Field(ge=0, le=1)
    """after training, at least"""
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
    trainer: Literal["grpo"]
    """the training loop"""
    model: Model
    prompt: Literal["plain", "boxed"] = "boxed"
    """how a problem is put to the model: as it is, or with the request for a boxed answer"""
    data: one_of(DATA)
    rewards: tuple[one_of(REWARDS), ...] = Field(min_length=1)
    advantage: one_of(ADVANTAGES)
    adapter: one_of(ADAPTERS)
    train: Train
    evaluation: Evaluation = Evaluation()
    validation: Validation | None = None
    """null = the last step is kept"""
    trl: dict[str, Any] = {}
    """passed on to TRL's config as it is"""
    seed: int = Field(0, ge=0)
    """of the adapter's start, the rollouts and the order of the data"""
    expected: Expected | None = None
    """null = nobody has run this tier"""
    measured: str = "not yet"
    """what was seen when this tier was run, and on what"""

    @property
    def learning_rate(self) -> float:
        return self.train.learning_rate or self.adapter.default_learning_rate

    def explained(self) -> str:
        """The whole config as YAML-like lines, every knob with its help."""
        return "\n".join(_explained(self, 0))

    @model_validator(mode="after")
    def knobs_agree(self) -> Self:
        for knob, name in TRL_NAMES.items():
            if name in self.trl:
                raise ValueError(f"trl.{name} is train.{knob} here; type train.{knob}={self.trl[name]}")
        if self.tier == "sandbox" and self.data.name and not self.data.name.startswith("sandbox"):
            raise ValueError(
                f"the sandbox tier never uses the network, and data.name={self.data.name} is a hub id; "
                f"give a local file with data.file=, or choose another tier with --on"
            )
        if self.tier == "sandbox" and self.model.name != "sandbox" and not Path(self.model.name).exists():
            raise ValueError(
                f"the sandbox tier never uses the network, and model.name={self.model.name} is neither 'sandbox' nor "
                f"a local folder; choose another tier with --on"
            )
        return self


@dataclass(frozen=True)
class Recipe:
    """A recipe file as read: not yet a choice of tier, not yet validated."""

    name: str
    values: dict[str, Any]
    tiers: dict[str, dict[str, Any]]

    def card(self) -> dict[str, Any]:
        """What `recipes` says of it."""
        tiers = {tier: values.get("measured", "not yet") for tier, values in self.tiers.items()}
        return {"name": self.name, "about": self.values.get("about"), "paper": self.values.get("paper"), "tiers": tiers}

    def resolve(self, tier: str, overrides: tuple[str, ...] = (), seed: int | None = None) -> RunConfig:
        """The recipe on one tier with the person's overrides, validated as a whole."""
        if tier not in self.tiers:
            raise ConfigError(f"recipe {self.name} has no tier '{tier}'{nearest(tier, self.tiers)}.")
        values = deepcopy(merge(self.values, self.tiers[tier])) | {"recipe": self.name, "tier": tier}
        apply_overrides(values, overrides)
        if overrides:
            values["expected"] = None  # a changed run promises nothing
        if seed is not None:
            values["seed"] = seed
        try:
            return RunConfig.model_validate(values)
        except ValidationError as error:
            raise ConfigError(sentence(error, values)) from None


def recipe_names() -> list[str]:
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def read_recipe(name_or_file: str) -> Recipe:
    """Reads a shipped recipe by name, or any YAML file by path."""
    path = Path(name_or_file)
    if path.suffix not in (".yaml", ".yml"):
        if name_or_file not in recipe_names():
            hint = nearest(name_or_file, recipe_names())
            raise ConfigError(f"no recipe '{name_or_file}'{hint}, or the path of a .yaml file.")
        path = RECIPES / f"{name_or_file}.yaml"
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read recipe {path}: {getattr(error, 'strerror', None) or error}.") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from None
    tiers = values.pop("tiers", None) if isinstance(values, dict) else None
    if not isinstance(tiers, dict) or not tiers or not all(isinstance(tier, dict) for tier in tiers.values()):
        raise ConfigError(
            f"{path} is not a recipe: it needs a section `tiers:` with at least one of {', '.join(TIERS)}."
        )
    return Recipe(path.stem, values, tiers)


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`; sections merge, anything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


ALTERNATIVES = {"data.file": "data.name", "data.name": "data.file", "data.index": "data.id", "data.id": "data.index"}
"""Giving one of these takes the other away where only the recipe has set it."""


def apply_overrides(values: dict[str, Any], overrides: tuple[str, ...]) -> None:
    """Lays `path.to.key=value` over the values, in place; list items are named by number."""
    pairs = []
    for override in overrides:
        path, equals, text = override.partition("=")
        if not equals or not path or path.startswith("-"):
            raise ConfigError(
                f"'{override}' is not an override; type it as path.to.key=value, e.g. train.max_steps=50."
            )
        pairs.append((path, _parse(text)))
    given = {path for path, _ in pairs}
    for path in given & ALTERNATIVES.keys():
        section, _, other = ALTERNATIVES[path].rpartition(".")
        if ALTERNATIVES[path] not in given and isinstance(values.get(section), dict):
            values[section] = {key: value for key, value in values[section].items() if key != other}
    for path, value in pairs:
        _put(values, path, value)


def _parse(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _put(values: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    place: Any = values
    for depth, key in enumerate(parents, 1):
        if isinstance(place, dict) and place.get(key) is None:
            place[key] = {}
        place = _item(place, key, ".".join(parents[:depth]))
    _item(place, last, path, missing=None)
    place[int(last) if isinstance(place, list) else last] = value


def _item(place: Any, key: str, path: str, **default: Any) -> Any:
    if isinstance(place, dict):
        return place.get(key, *default.values())
    if isinstance(place, list) and key.isdigit() and int(key) < len(place):
        return place[int(key)]
    what = f"a list of {len(place)}, numbered from 0" if isinstance(place, list) else "not a section"
    raise ConfigError(f"there is no {path}: {path.rpartition('.')[0]} is {what}.")


def sentence(error: ValidationError, values: dict[str, Any]) -> str:
    """The first thing pydantic found wrong, as one sentence with the path, the value and what is allowed."""
    first, *others = error.errors(include_url=False)
    place: Any = values
    path = []
    for key in first["loc"]:
        inside = (isinstance(place, dict) and key in place) or (isinstance(place, list) and isinstance(key, int))
        if inside:
            place = place[key]
        if inside or (first["type"] in ("missing", "extra_forbidden") and key == first["loc"][-1]):
            path.append(str(key))
    name = ".".join(path)
    match first["type"]:
        case "extra_forbidden":
            text = f"there is no knob '{name}'{nearest(path[-1], _knobs(first['loc'][:-1]))}."
        case "missing":
            text = f"{name} is missing; type {name}=…"
        case "union_tag_invalid":
            kinds = [kind.strip(" '") for kind in first["ctx"]["expected_tags"].split(",")]
            text = f"{name}.kind '{first['ctx']['tag']}' is unknown{nearest(first['ctx']['tag'], kinds)}."
        case "value_error":
            text = f"{name + ': ' if name else ''}{first['ctx']['error']}."
        case _:
            text = f"{name}={first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}."
    return text + (f" ({len(others)} more after this one.)" if others else "")


def _knobs(location: tuple[str | int, ...]) -> list[str]:
    """Names of the fields of the config class at a pydantic location."""
    classes: list[Any] = [RunConfig]
    for key in location:
        named = [kind for kind in _schemas(classes) if key == kind.model_fields.get("kind", Field()).default]
        below = [kind.model_fields[key].annotation for kind in _schemas(classes) if key in kind.model_fields]
        classes = named or below or classes
    return sorted({name for kind in _schemas(classes) for name in kind.model_fields})


def _schemas(annotations: list[Any]) -> list[type[Schema]]:
    """Every config class inside a list of type annotations."""
    found = []
    for annotation in annotations:
        if isinstance(annotation, type) and issubclass(annotation, Schema):
            found.append(annotation)
        else:
            found += _schemas(list(getattr(annotation, "__args__", ())))
    return found


def _explained(section: Schema, depth: int) -> Iterator[str]:
    indent, texts = "  " * depth, knob_help(type(section))
    for knob in type(section).model_fields:
        value = getattr(section, knob)
        for number, item in enumerate(value) if isinstance(value, tuple) else [(None, value)]:
            name = knob if number is None else f"{knob}.{number}"
            if isinstance(item, Schema):
                yield f"{indent}{name}:  # {(type(item).__doc__ or '').partition(chr(10))[0]}"
                yield from _explained(item, depth + 1)
            else:
                shown = json.dumps(item, default=str, ensure_ascii=False)
                yield f"{indent}{name}: {shown}".ljust(44) + (f"  # {texts[knob]}" if knob in texts else "")


def knob_help(schema: type[Schema]) -> dict[str, str]:
    """Knob → the string under it in the source. (Pydantic can read these too, at every start-up.)"""
    texts = {}
    for kind in reversed(schema.__mro__):
        if not issubclass(kind, Schema) or kind is Schema:
            continue
        body = ast.parse(inspect.getsource(kind)).body[0].body
        for field, text in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                texts[field.target.id] = text.value.value
    return texts
