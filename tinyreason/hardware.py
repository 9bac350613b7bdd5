"""What this machine has, which tier that means, and the device and dtype to use. Torch-free at import."""

import os
import shutil
import subprocess
from collections.abc import Collection
from dataclasses import dataclass

from tinyreason.errors import ConfigError

TIER_MEMORY_GB = {"t4": 14.0, "24gb": 22.0, "80gb": 75.0}
"""The least memory a card of each tier reports; `sandbox` needs none."""


@dataclass(frozen=True)
class Card:
    """The first CUDA card."""

    name: str
    memory_gb: float
    capability: tuple[int, int]

    @property
    def has_bfloat16(self) -> bool:
        """Real bfloat16 arithmetic. `torch.cuda.is_bf16_supported()` counts emulation and says yes on a T4."""
        return self.capability >= (8, 0)


def find_card() -> Card | None:
    """The first CUDA card the driver reports, or None."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible == "" or not shutil.which("nvidia-smi"):
        return None
    query = [
        *(("-i", visible) if visible else ()),
        "--query-gpu=name,memory.total,compute_cap",
        "--format=csv,noheader,nounits",
    ]
    answer = subprocess.run(["nvidia-smi", *query], capture_output=True, text=True, check=False)
    if answer.returncode or not answer.stdout.strip():
        return None
    try:
        name, memory_mib, capability = (part.strip() for part in answer.stdout.splitlines()[0].split(","))
        major, minor = capability.split(".")
        return Card(name, float(memory_mib) / 1024, (int(major), int(minor)))
    except ValueError:  # [N/A], or a sentence
        return None


def choose_tier(tiers: Collection[str], card: Card | None) -> tuple[str, str]:
    """The largest tier on offer that the card holds, and why in a few words."""
    if card is None:
        if "sandbox" not in tiers:
            raise ConfigError(f"this recipe needs a CUDA GPU and none was found; it has the tiers {', '.join(tiers)}.")
        return "sandbox", "no CUDA GPU found"
    fitting = [tier for tier, memory_gb in TIER_MEMORY_GB.items() if tier in tiers and memory_gb <= card.memory_gb]
    if fitting:
        return fitting[-1], f"{card.name}, {card.memory_gb:.0f} GB"
    if "sandbox" not in tiers:
        raise ConfigError(f"{card.name} has {card.memory_gb:.0f} GB, and this recipe has the tiers {', '.join(tiers)}.")
    return "sandbox", f"this recipe has no tier for {card.name} with {card.memory_gb:.0f} GB"


def check_tier(tier: str, card: Card | None) -> None:
    """An asked-for tier that this machine cannot run is an error, not a fallback."""
    if tier == "sandbox":
        return
    if card is None:
        raise ConfigError(f"tier {tier} needs a CUDA GPU and none was found; type --on sandbox to run without one.")
    if card.memory_gb < TIER_MEMORY_GB[tier]:
        raise ConfigError(
            f"tier {tier} needs {TIER_MEMORY_GB[tier]:.0f} GB and {card.name} has {card.memory_gb:.0f} GB; "
            f"choose a smaller tier with --on."
        )


def device_and_dtype(card: Card | None) -> tuple[str, str]:
    """Where to compute and in what: bfloat16 from Ampere on, float16 before, float32 on a CPU."""
    if card is None:
        return "cpu", "float32"
    return "cuda", "bfloat16" if card.has_bfloat16 else "float16"
