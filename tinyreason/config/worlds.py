"""The arena's worlds: recipes on which methods are compared, and what was written down of each before any was tried.

A method enters without an edit: by the variant of its name in a shipped recipe, which has what goes with it,
or else by its family's plain form.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, get_args

from tinyreason.algorithms.advantages import ADVANTAGES
from tinyreason.algorithms.rewards import REWARDS
from tinyreason.algorithms.rollouts import ROLLOUTS
from tinyreason.algorithms.samplers import SAMPLERS
from tinyreason.config.plain_yaml import merge
from tinyreason.config.recipe import RECIPES, Recipe, read_recipe, read_values, recipe_names
from tinyreason.config.train_config import TRAINERS
from tinyreason.data.transforms import TRANSFORMS
from tinyreason.errors import ConfigError, nearest
from tinyreason.schema import Schema

WORLDS = RECIPES / "worlds"
SHIPPED = "sandbox"
"""Tier of the shipped recipes whose variants enter."""
PLAIN = "correctness"
"""The entry that all others are compared with: the world as it is."""
FAMILIES: dict[str, dict[str, type[Schema]]] = {
    "rollouts": ROLLOUTS,
    "samplers": SAMPLERS,
    "advantages": ADVANTAGES,
    "rewards": REWARDS,
    "transforms": TRANSFORMS,
}
"""Families whose methods a world may ask for; `losses` are the values of train.loss."""


@dataclass(frozen=True)
class ArenaWorld:
    """One world, as its file has it."""

    name: str
    plan: Recipe
    purpose: str
    """What it is for."""
    shows: list[str]
    """Which claims should show in it, as was expected before."""
    hides: list[str]
    """Which should not."""
    families: list[str]
    """Whose methods apply."""
    forms: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Method → its values here, where they are others than anywhere."""
    is_unlabelled: bool = False
    """Whether only methods enter that never look at a gold answer."""

    @property
    def tier(self) -> str:
        """The one that its file has."""
        (tier,) = self.plan.tiers
        return tier


@dataclass(frozen=True)
class Entry:
    """A method as it stands in a world: what is laid over the world's values."""

    name: str
    family: str
    values: dict[str, Any]


def world_names() -> list[str]:
    """Lists the shipped worlds."""
    return sorted(path.stem for path in WORLDS.glob("*.yaml"))


def read_world(name: str) -> ArenaWorld:
    """Reads a shipped world. Errors: `ConfigError` for a name that is none."""
    if name not in world_names():
        raise ConfigError(f"no world '{name}'{nearest(name, world_names())}; tinyreason arena worlds lists them.")
    path = WORLDS / f"{name}.yaml"
    told = read_values(path)["world"]
    plan = read_recipe(str(path))
    values = {key: value for key, value in plan.values.items() if key != "world"}
    tiers = {tier: {key: value for key, value in own.items() if key != "world"} for tier, own in plan.tiers.items()}
    return ArenaWorld(name, Recipe(name, values, tiers, plan.derived), **told)


def entries(world: ArenaWorld, asked: str = "all") -> list[Entry]:
    """Returns the methods that enter a world, of its families all or those that are named, plain training first.

    Errors: `ConfigError` for a name that no method of these families has.
    """
    own = (Entry(name, family_of(values), values) for name, values in world.forms.items())
    found = (*of_families(world), *of_recipes(world), *own)
    known = {entry.name: entry for entry in found if not (world.is_unlabelled and reads_gold(entry))}
    plain = Entry(PLAIN, "baseline", {})
    if asked == "all":
        return [plain, *(known[name] for name in sorted(known))]
    names = [name for name in dict.fromkeys(asked.split(",")) if name != PLAIN]
    for name in names:
        if name not in known:
            raise ConfigError(f"--methods '{name}' does not enter {world.name}{nearest(name, known)}, or all.")
    return [plain, *(known[name] for name in names)]


def reads_gold(entry: Entry) -> bool:
    """Returns whether any method of an entry looks at gold answers, in its own values or those of the world."""
    rewards = [REWARDS[one["kind"]] for one in entry.values.get("rewards", [{"kind": PLAIN}])]
    return any(reward.reads_gold for reward in rewards)


def of_recipes(world: ArenaWorld) -> Iterator[Entry]:
    """Yields the variants of the shipped recipes that are of the world's families."""
    for recipe in recipe_names():
        plan = read_recipe(recipe)
        for name, values in plan.variants(SHIPPED).items() if SHIPPED in plan.tiers else ():
            family = family_of(values)
            if family in world.families and name != PLAIN:
                yield Entry(name, family, values)


def family_of(values: dict[str, Any]) -> str:
    """Returns the family that a variant is of: of what it changes, what does most."""
    for section, family in (("rollouts", "rollouts"), ("samplers", "samplers")):
        if section in values:
            return family
    if "transforms" in values.get("data", {}):
        return "transforms"
    if values.get("rewards", [{"kind": PLAIN}]) != [{"kind": PLAIN}]:
        return "rewards"
    return "advantages" if "advantage" in values else "losses"


def of_families(world: ArenaWorld) -> Iterator[Entry]:
    """Yields every method of the world's families in its plain form."""
    for family in world.families:
        for kind in FAMILIES.get(family, {}):
            if kind != PLAIN:
                yield Entry(kind, family, plain_form(family, kind))
    if "losses" in world.families:
        trainer = TRAINERS[world.plan.on(world.tier)["trainer"]]
        for loss in get_args(trainer.model_fields["loss"].annotation):
            yield Entry(f"loss={loss}", "losses", {"train": {"loss": loss}})


def plain_form(family: str, kind: str) -> dict[str, Any]:
    """Returns the values by which a method is used, with what its class says goes with it, or has its name."""
    leaf, one = FAMILIES[family][kind], {"kind": kind}
    values = {
        "rollouts": {"rollouts": one},
        "samplers": {"samplers": [one]},
        "advantages": {"advantage": [{"kind": "grpo"}, one] if getattr(leaf, "role", "") == "shaper" else one},
        "rewards": {"rewards": [one]},
        "transforms": {"data": {"transforms": [one]}},
    }[family]
    plan = getattr(leaf, "needs_rollouts", None)
    loss = getattr(leaf, "published_loss", None)
    prompt = getattr(leaf, "asks_for", None)
    with_it = (
        {"rollouts": {"kind": plan}} if plan else {},
        {"train": {"loss": loss}} if loss else {},
        {"prompt": prompt} if prompt else {},
    )
    for more in with_it:
        values = merge(values, more)
    for other in list(FAMILIES)[list(FAMILIES).index(family) + 1 :]:
        if kind in FAMILIES[other]:
            values = merge(plain_form(other, kind), values)
    return values
