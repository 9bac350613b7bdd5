"""The card of this machine, and the tiers that it can run. Torch-free at import."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import takewhile

from tinyreason.config.model import Model
from tinyreason.config.recipe import Recipe
from tinyreason.config.tiers import CPU_TIER, GPU_TIERS, LEAST_CAPABILITY, TIERS
from tinyreason.errors import ConfigError

VISIBLE = "CUDA_VISIBLE_DEVICES"
SLICES_FROM = (8, 0)
"""The first compute capability whose cards can be cut into slices (MIG)."""
HIDDEN: list["Card"] = []
"""The cards that were hidden when one was taken; other processes compute on them."""
CPU_INFO = "/proc/cpuinfo"
BFLOAT16_FLAGS = ("amx_bf16", "avx512_bf16")
LISTED_CARD = re.compile(r"GPU \d+: .*\(UUID: (\S+)\)")
LISTED_SLICE = re.compile(r"\s+MIG (\S*?(\d+)gb\S*)\s.*\(UUID: (\S+)\)")
"""`  MIG 3g.40gb     Device  0: (UUID: MIG-…)`: its profile, its memory, its UUID."""


@dataclass(frozen=True)
class Card:
    """A CUDA card, or a slice of one."""

    name: str
    memory_gb: float
    capability: tuple[int, int]
    uuid: str | None = field(default=None, compare=False)
    """What CUDA knows it by whatever the order; None where only torch was asked."""
    idle: tuple[str, ...] = field(default=(), compare=False)
    """Names of the other cards that could be seen, which a run does not use."""

    @property
    def has_bfloat16(self) -> bool:
        """Whether it computes in bfloat16. `torch.cuda.is_bf16_supported()` counts emulation and says yes on a T4."""
        return self.capability >= (8, 0)

    @property
    def alike(self) -> int:
        """How many cards of its kind, itself among them, a run could use."""
        return 1 if self.is_old else 1 + self.idle.count(self.name)

    @property
    def is_old(self) -> bool:
        """Whether no GPU tier runs on it, whatever its memory."""
        return self.capability < LEAST_CAPABILITY

    def describe(self) -> str:
        return f"{self.name} ({dotted(self.capability)})"

    def describe_idle(self) -> str:
        """Returns which other cards idle, and how another is chosen; empty where there is only one."""
        if not self.idle:
            return ""
        verb = "idles" if len(self.idle) == 1 else "idle"
        return f"{', '.join(self.idle)} {verb}: a run computes on one card, which {VISIBLE} chooses"


@dataclass(frozen=True)
class Cpu:
    """The processor, as far as it decides how a run computes."""

    name: str
    flags: frozenset[str] = frozenset()
    """What it can do, in Linux's words; empty where that is not known."""

    @property
    def bfloat16_by(self) -> str | None:
        """The fastest of its instructions that multiply in bfloat16; None where it has none."""
        return next((flag for flag in BFLOAT16_FLAGS if flag in self.flags), None)


@cache
def find_cpu() -> Cpu:
    """Returns the processor, as Linux describes it; elsewhere without its flags."""
    found = {}
    with suppress(OSError), open(CPU_INFO, encoding="utf-8") as lines:
        for line in takewhile(str.strip, lines):
            name, _, value = line.partition(":")
            found[name.strip()] = value.strip()
    return Cpu(found.get("model name", "CPU"), frozenset(found.get("flags", "").split()))


def usable_cores() -> int:
    """Returns how many cores this process may use: of those that it is bound to as many as its container grants."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError), open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
        quota, period = file.read().split()
        return max(1, min(bound, int(quota) // int(period)))  # `max` of a container without a limit is not a number
    return bound


def physical_cores() -> int:
    """Returns how many of the cores that this process may use compute at once: two threads of one core count once."""
    import psutil

    return min(usable_cores(), psutil.cpu_count(logical=False) or usable_cores())


def find_card(number: int = 0) -> Card | None:
    """Returns the largest of the CUDA cards that may be used, or the one of this number after it; None without one.

    Once torch computes on one, it is that one.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return card_in_use(torch)
    cards = visible_cards()
    if number >= len(cards):
        return None
    best = sorted(cards, key=lambda card: (not card.is_old, card.memory_gb, card.capability), reverse=True)[number]
    return replace(best, idle=tuple(card.name for card in cards if card is not best))


def take_card(number: int = 0) -> Card | None:
    """Returns the card that this process will compute on, and hides all others from CUDA.

    With several in sight transformers would spread each batch over them, which TRL refuses. It takes effect until torch
    has looked for cards.
    """
    card = find_card(number)
    if card and card.uuid:
        if card.idle:
            HIDDEN[:] = [other for other in visible_cards() if other.uuid != card.uuid]
        os.environ[VISIBLE] = card.uuid
    return card


def cards_for(many: int, card: Card, option: str) -> list[str]:
    """Returns the UUIDs of so many cards of one kind, this one first. Errors: `ConfigError`, which names the option."""
    alike = [card.uuid, *(other.uuid for other in HIDDEN if other.name == card.name)]
    if len(alike) < many:
        raise ConfigError(
            f"{option}{many} need {many} cards of one kind, and {len(alike)} {card.name} can be used here; type "
            f"{option}{len(alike)}."
        )
    return alike[:many]


def card_in_use(torch) -> Card:
    """Returns the card that torch computes on already."""
    here = torch.cuda.current_device()
    names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    memory_gb = torch.cuda.get_device_properties(here).total_memory / 2**30
    others = tuple(name for number, name in enumerate(names) if number != here)
    return Card(names[here], memory_gb, tuple(torch.cuda.get_device_capability(here)), idle=others)


def visible_cards() -> list[Card]:
    """Returns the cards that the driver reports and CUDA_VISIBLE_DEVICES allows, in its order.

    A number counts as nvidia-smi does, a UUID may be shortened, and as in CUDA the first word that names nothing ends
    the list. Of a card that is cut into slices each slice is a card.
    """
    asked = os.environ.get(VISIBLE)
    if asked is not None and not asked.strip():
        return []
    groups = cards_of_the_driver()
    if asked is None:
        return [card for group in groups for card in group]
    found = []
    for word in (part.strip() for part in asked.split(",")):
        if word.isdecimal():
            named = groups[int(word)][:1] if int(word) < len(groups) else []
        else:
            named = [card for group in groups for card in group if word and str(card.uuid).startswith(word)][:1]
        if not named:
            break
        found += named
    return found


def cards_of_the_driver() -> list[list[Card]]:
    """Returns for each card that nvidia-smi lists the card itself, or the slices that it is cut into."""
    groups = []
    for line in nvidia_smi("--query-gpu=uuid,name,memory.total,compute_cap", "--format=csv,noheader,nounits"):
        try:
            uuid, name, memory_mib, capability = (part.strip() for part in line.split(","))
            major, minor = capability.split(".")
            groups.append([Card(name, float(memory_mib) / 1024, (int(major), int(minor)), uuid)])
        except ValueError:  # [N/A], or a sentence
            groups.append([])
    if any(card.capability >= SLICES_FROM for group in groups for card in group):
        slices = listed_slices()
        groups = [[one for card in group for one in parts(card, slices)] for group in groups]
    return groups


def parts(card: Card, slices: dict[str, list[tuple[str, float, str]]]) -> list[Card]:
    """Returns the slices that a card is cut into, or the card itself."""
    return [
        Card(f"{card.name} MIG {profile}", memory_gb, card.capability, uuid)
        for profile, memory_gb, uuid in slices.get(card.uuid, ())
    ] or [card]


def listed_slices() -> dict[str, list[tuple[str, float, str]]]:
    """Returns the UUID of each card that is cut into slices → (profile, GB, UUID) of every slice."""
    found, card = {}, ""
    for line in nvidia_smi("-L"):
        if its := LISTED_CARD.match(line):
            card = its[1]
        elif its := LISTED_SLICE.match(line):
            found.setdefault(card, []).append((its[1], float(its[2]), its[3]))
    return found


def nvidia_smi(*arguments: str) -> list[str]:
    """Returns the lines that the driver's tool answers; none where there is no driver."""
    program = shutil.which("nvidia-smi")
    if not program:
        return []
    answer = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    return [] if answer.returncode else answer.stdout.splitlines()


def tier_for(recipe: Recipe, asked: str | None, overrides: tuple[str, ...], card: Card | None) -> tuple[str, str]:
    """Returns the tier that was asked for, or the recipe's for this machine, and why. Errors: `ConfigError`.

    Another base than the sandbox's, named in the overrides or in a recipe of one's own, runs on `cpu` where no GPU tier
    can.
    """
    if asked:
        return asked, "asked for with --on"
    tier, why = choose_tier(recipe.tiers, card)
    base = recipe.base_on(tier, overrides) if TIERS[tier].is_offline else ""
    if CPU_TIER in recipe.tiers and base and not Model(name=base).is_built_in:
        return CPU_TIER, f"{why}, and {base} is not the sandbox's model"
    return tier, why


def choose_tier(tiers: Collection[str], card: Card | None) -> tuple[str, str]:
    """Returns the largest of these tiers that the card holds, and why in a few words. Errors: `ConfigError`."""
    without_gpu = next((name for name in tiers if not TIERS[name].needs_gpu), None)
    if card is None:
        if without_gpu is None:
            raise ConfigError(f"this recipe needs a CUDA GPU and none was found; it has the tiers {', '.join(tiers)}.")
        smallest = next(iter(TIERS))
        has_none = "" if without_gpu == smallest else f", and this recipe has no {smallest} tier"
        return without_gpu, f"no CUDA GPU found{has_none}"
    ours = [name for name in GPU_TIERS if name in tiers]
    fitting = [name for name in ours if obstacle(name, card) is None]
    if fitting:
        return fitting[-1], f"{card.name}, {card.memory_gb:.0f} GB"
    why = f"this recipe has no tier for {card.name}"
    if ours:
        why = obstacle(ours[0], card, f"the smallest tier, {ours[0]},")
    if without_gpu is None:
        raise ConfigError(f"{why}; this recipe has the tiers {', '.join(tiers)}.")
    return without_gpu, f"{why}; so this runs on the CPU"


def obstacle(tier: str, card: Card, called: str = "the tier") -> str | None:
    """Returns why the card cannot run a GPU tier, or None."""
    if card.is_old:
        return f"{card.describe()} is older than compute capability {dotted(LEAST_CAPABILITY)}, which NF4 needs"
    needed = TIERS[tier].memory_gb
    if card.memory_gb < needed:
        return f"{card.name} has {card.memory_gb:.3g} GB, {called} needs {needed:g} GB"
    return None


def check_tier(tier: str, card: Card | None) -> None:
    """Refuses a tier that was asked for and that this machine cannot run; no other is taken in its place."""
    if not TIERS[tier].needs_gpu:
        return
    if card is None:
        raise ConfigError(f"tier {tier} needs a CUDA GPU and none was found; type --on {CPU_TIER} to run without one.")
    if why := obstacle(tier, card):
        raise ConfigError(
            f"tier {tier} cannot run here: {why}; choose a smaller one with --on, {CPU_TIER} for the CPU."
        )


def dotted(capability: tuple[int, int]) -> str:
    """Writes a compute capability as NVIDIA does: (8, 6) → 8.6."""
    return f"{capability[0]}.{capability[1]}"
