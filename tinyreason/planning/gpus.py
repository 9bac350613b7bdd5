"""What a graphics card of each name has: memory, bandwidth and arithmetic, from its datasheet."""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

from tinyreason.errors import ConfigError, nearest
from tinyreason.models.hardware import Card


@dataclass(frozen=True)
class Datasheet:
    """A card as its maker describes it: NVIDIA's tables, dense tensor-core figures that accumulate in float32."""

    name: str
    memory_gb: float
    """GiB, as the driver reports them."""
    capability: tuple[int, int]
    bandwidth_gb_s: float
    tflops_16: float
    """In float16, or bfloat16 where the card has it; of Pascal's GeForce in float32, as their float16 is slower."""
    tflops_32: float
    """In float32, outside the tensor cores."""
    reached: float
    """Share of `tflops_16` that a pass reaches; a usual figure, not measured here.

    GeForce cards accumulate in float32 at half their rate and so reach more of it; 70 watts hold T4 and L4 back.
    """
    launch_us: float
    """Microseconds that launching a kernel from Python takes on the CPU beside it; usual figures, not measured here.

    The T4's is fitted to 371 tokens/s, which a third party measured with its fast attention (32 rows of 1.5 B, LoRA).
    """
    is_calibrated: bool = False
    """Whether the last two are fitted to steps of such a card (`plan --calibrate`)."""

    def card(self) -> Card:
        return Card(self.name, self.memory_gb, self.capability)


DATASHEETS = {
    "1080": Datasheet("GeForce GTX 1080", 8.0, (6, 1), 320, 8.9, 8.9, reached=0.7, launch_us=14),
    "1080-ti": Datasheet("GeForce GTX 1080 Ti", 11.0, (6, 1), 484, 11.3, 11.3, reached=0.7, launch_us=14),
    "2060": Datasheet("GeForce RTX 2060", 6.0, (7, 5), 336, 25.8, 6.5, reached=0.7, launch_us=14),
    "t4": Datasheet("Tesla T4", 15.0, (7, 5), 320, 65, 8.1, reached=0.25, launch_us=28),
    "3060": Datasheet("GeForce RTX 3060", 12.0, (8, 6), 360, 25.6, 12.7, reached=0.7, launch_us=14),
    "3090": Datasheet("GeForce RTX 3090", 24.0, (8, 6), 936, 71, 35.6, reached=0.6, launch_us=14),
    "4090": Datasheet("GeForce RTX 4090", 24.0, (8, 9), 1008, 165.2, 82.6, reached=0.5, launch_us=14),
    "l4": Datasheet("L4", 22.5, (8, 9), 300, 121, 30.3, reached=0.25, launch_us=20),
    "a100": Datasheet("A100 80GB", 80.0, (8, 0), 2039, 312, 19.5, reached=0.35, launch_us=20),
    "a100-40gb": Datasheet("A100 40GB", 40.0, (8, 0), 1555, 312, 19.5, reached=0.35, launch_us=20),
    "h100": Datasheet("H100 80GB", 79.6, (9, 0), 3350, 989, 66.9, reached=0.3, launch_us=20),
}
"""The word typed after --gpu → the card."""


def datasheet(word: str) -> Datasheet | None:
    """Returns the datasheet of the card that --gpu names; None for `cpu`. Errors: `ConfigError`."""
    if word == "cpu":
        return None
    if word not in DATASHEETS:
        raise ConfigError(f"no card '{word}'{nearest(word, [*DATASHEETS, 'cpu'])}.")
    return calibrated(DATASHEETS[word])


def datasheet_of(card: Card) -> Datasheet | None:
    """Returns the datasheet of a card of this machine, by its name; None where it is not in the table."""
    words = card.name.lower().replace("-", " ").split()
    named = [sheet for word, sheet in DATASHEETS.items() if word.split("-")[0] in words]
    found = min(named, key=lambda sheet: abs(sheet.memory_gb - card.memory_gb), default=None)
    return found and calibrated(found)


def calibrated(sheet: Datasheet) -> Datasheet:
    """Returns a datasheet with what `plan --calibrate` has found of this card in place of the usual figures."""
    found = read_calibrations().get(sheet.name)
    return replace(sheet, **found, is_calibrated=True) if found else sheet


def cards_file() -> Path:
    """Returns where calibrations are kept: a file in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinyreason" / "cards.json"


def read_calibrations() -> dict[str, dict[str, float]]:
    """Returns card → `reached` and `launch_us`, where a calibration has found them."""
    try:
        known = json.loads(cards_file().read_text(encoding="utf-8"))
        return {name: found for name, found in known.items() if found.keys() == {"reached", "launch_us"}}
    except (OSError, ValueError, AttributeError):
        return {}


def memory_of_this_machine() -> float:
    """Returns the bytes of main memory."""
    import psutil

    return psutil.virtual_memory().total
