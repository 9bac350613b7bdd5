"""The card of this machine, and the tiers that it can run. Torch-free at import."""

import os
import shutil
import subprocess
from collections.abc import Collection
from dataclasses import dataclass

from tinyreason.config.tiers import GPU_TIERS, TIERS
from tinyreason.errors import ConfigError


@dataclass(frozen=True)
class Card:
    """The first CUDA card."""

    name: str
    memory_gb: float
    capability: tuple[int, int]

    @property
    def has_bfloat16(self) -> bool:
        """Whether it computes in bfloat16. `torch.cuda.is_bf16_supported()` counts emulation and says yes on a T4."""
        return self.capability >= (8, 0)

    def describe(self) -> str:
        return f"{self.name} ({dotted(self.capability)})"


def find_card() -> Card | None:
    """Returns the first CUDA card that the driver reports, or None."""
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
    """Returns the largest of these tiers that the card holds, and why in a few words. Errors: `ConfigError`."""
    without_gpu = next((name for name in tiers if not TIERS[name].needs_gpu), None)
    if card is None:
        if without_gpu is None:
            raise ConfigError(f"this recipe needs a CUDA GPU and none was found; it has the tiers {', '.join(tiers)}.")
        return without_gpu, "no CUDA GPU found"
    fitting = [name for name, tier in GPU_TIERS.items() if name in tiers and tier.memory_gb <= card.memory_gb]
    if fitting:
        return fitting[-1], f"{card.name}, {card.memory_gb:.0f} GB"
    if without_gpu is None:
        raise ConfigError(f"{card.name} has {card.memory_gb:.0f} GB, and this recipe has the tiers {', '.join(tiers)}.")
    return without_gpu, f"this recipe has no tier for {card.name} with {card.memory_gb:.0f} GB"


def check_tier(tier: str, card: Card | None) -> None:
    """Refuses a tier that was asked for and that this machine cannot run; no other is taken in its place."""
    if not TIERS[tier].needs_gpu:
        return
    if card is None:
        raise ConfigError(f"tier {tier} needs a CUDA GPU and none was found; type --on sandbox to run without one.")
    if card.memory_gb < TIERS[tier].memory_gb:
        raise ConfigError(
            f"tier {tier} needs {TIERS[tier].memory_gb:.0f} GB and {card.name} has {card.memory_gb:.0f} GB; "
            f"choose a smaller tier with --on."
        )


def dotted(capability: tuple[int, int]) -> str:
    """Writes a compute capability as NVIDIA does: (8, 6) → 8.6."""
    return f"{capability[0]}.{capability[1]}"
