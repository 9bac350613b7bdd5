"""What this machine has, which tier that means, and what a run computes with. Torch-free at import."""

import os
import shutil
import subprocess
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

from tinyreason.config.run_config import Kernels, Model
from tinyreason.errors import ConfigError

TIER_MEMORY_GB = {"t4": 14.0, "24gb": 22.0, "80gb": 75.0}
"""The least memory a card of each tier reports; `sandbox` needs none."""

FLASH_FOR_BLACKWELL = "2.8.3.post1"
"""The first flash-attn built for compute capability 12.x."""

LIGER_MODELS = frozenset(
    "gemma gemma2 gemma3_text glm4 granite llama mistral mixtral olmo2 olmo3 phi3 qwen2 qwen3 qwen3_moe smollm3".split()
)
"""Text models (`model_type`) that liger-kernel has kernels for."""


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

    def describe(self) -> str:
        return f"{self.name} ({dotted(self.capability)})"


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


@dataclass(frozen=True)
class Setting:
    """What was asked for, what is on, and why."""

    asked: str
    got: str
    why: str


@dataclass(frozen=True)
class ComputeSettings:
    """How a run computes on this machine."""

    card: Card | None
    dtype: Setting
    quantize: Setting
    attention: Setting
    fused: Setting
    optimizer: Setting

    @property
    def device(self) -> str:
        return "cuda" if self.card else "cpu"

    def settings(self) -> dict[str, Setting]:
        return {name: value for name, value in vars(self).items() if isinstance(value, Setting)}


def choose_compute_settings(
    model: Model, kernels: Kernels, card: Card | None, packages: Mapping[str, str], model_type: str | None
) -> ComputeSettings:
    """The fastest means that card, installed packages (name → version) and model allow; a pure function.

    Errors: `ConfigError` for what was asked for and cannot be had; `auto` never fails.
    """
    dtype = choose_dtype(model.dtype, card)
    return ComputeSettings(
        card=card,
        dtype=dtype,
        quantize=choose_quantization(model.quantize, card, packages),
        attention=choose_attention(kernels.attention, dtype.got, card, packages),
        fused=choose_fused(kernels.fused, card, packages, model_type),
        optimizer=choose_optimizer(kernels.optimizer, card, packages),
    )


def choose_dtype(asked: str, card: Card | None) -> Setting:
    """bfloat16 from Ampere on, float16 before, float32 on a CPU."""
    fitting = "float32" if card is None else "bfloat16" if card.has_bfloat16 else "float16"
    if card is None:
        why, wrong = "no CUDA GPU", ("bfloat16", "float16")
    else:
        generation = "Ampere or newer" if card.has_bfloat16 else "before Ampere, no bfloat16"
        why, wrong = f"{card.describe()}: {generation}", () if card.has_bfloat16 else ("bfloat16",)
    if asked in wrong:
        raise ConfigError(f"model.dtype={asked} is impossible here ({why}); type model.dtype={fitting}.")
    return Setting(asked, fitting, why) if asked == "auto" else Setting(asked, asked, "asked for")


def choose_quantization(asked: str, card: Card | None, packages: Mapping[str, str]) -> Setting:
    """What was asked for, where bitsandbytes can do it."""
    if asked == "none":
        return Setting(asked, asked, "not asked for")
    if "bitsandbytes" not in packages:
        raise ConfigError(f"model.quantize={asked} needs bitsandbytes; type: pip install bitsandbytes")
    least = {"nf4": (6, 0), "int8": (7, 5)}[asked]
    if card and card.capability < least:
        raise ConfigError(
            f"model.quantize={asked} needs compute capability {dotted(least)} and {card.describe()} is older; "
            f"type model.quantize={'nf4' if card.capability >= (6, 0) else 'none'}."
        )
    return Setting(asked, asked, f"asked for; bitsandbytes {packages['bitsandbytes']}")


def choose_attention(asked: str, dtype: str, card: Card | None, packages: Mapping[str, str]) -> Setting:
    """FlashAttention-2 where it can run, else PyTorch's own."""
    if asked in ("sdpa", "eager"):
        return Setting(asked, asked, "asked for")
    obstacle = flash_obstacle(dtype, card, packages)
    if not obstacle:
        version = packages["flash-attn"]
        return Setting(asked, "flash_attention_2", f"flash-attn {version}" if asked == "auto" else "asked for")
    if asked == "auto":
        return Setting(asked, "sdpa", obstacle)
    raise ConfigError(
        f"kernels.attention=flash_attention_2 is impossible here: {obstacle}; or type kernels.attention=sdpa."
    )


def flash_obstacle(dtype: str, card: Card | None, packages: Mapping[str, str]) -> str | None:
    """Why FlashAttention-2 cannot run, or None."""
    if card is None:
        return "FlashAttention-2 needs a CUDA GPU and none is used"
    if card.capability < (8, 0):
        return f"FlashAttention-2 needs compute capability 8.0 (Ampere) and {card.describe()} is older"
    if dtype == "float32":
        return "FlashAttention-2 computes in half precision and model.dtype is float32"
    if "flash-attn" not in packages:
        return "flash-attn is not installed (pip install flash-attn --no-build-isolation)"
    if card.capability >= (12, 0) and is_older(packages["flash-attn"], FLASH_FOR_BLACKWELL):
        return (
            f"flash-attn {packages['flash-attn']} has no kernels for {card.describe()} "
            f"(pip install 'flash-attn>={FLASH_FOR_BLACKWELL}' --no-build-isolation)"
        )
    return None


def is_older(version: str, than: str) -> bool:
    """Whether a package's version comes before another."""
    from packaging.version import Version

    return Version(version) < Version(than)


def choose_fused(asked: str, card: Card | None, packages: Mapping[str, str], model_type: str | None) -> Setting:
    """Liger's kernels where they can run."""
    if asked == "off":
        return Setting(asked, asked, "asked for")
    obstacle = liger_obstacle(card, packages, model_type)
    if asked == "auto" and not obstacle and card.capability < (8, 0):
        obstacle = f"Triton supports cards from compute capability 8.0 on; try kernels.fused=liger on {card.describe()}"
    if not obstacle:
        return Setting(asked, "liger", f"liger-kernel {packages['liger-kernel']}" if asked == "auto" else "asked for")
    if asked == "auto":
        return Setting(asked, "off", obstacle)
    raise ConfigError(f"kernels.fused=liger is impossible here: {obstacle}; or type kernels.fused=off.")


def liger_obstacle(card: Card | None, packages: Mapping[str, str], model_type: str | None) -> str | None:
    """Why Liger's kernels cannot run, or None."""
    if card is None:
        return "Liger's kernels need a CUDA GPU and none is used"
    if card.capability < (7, 0):
        return f"Liger's kernels need compute capability 7.0 and {card.describe()} is older"
    if model_type not in LIGER_MODELS:
        return f"Liger has no kernels for models of type {model_type}"
    if "liger-kernel" not in packages:
        return "liger-kernel is not installed (pip install liger-kernel)"
    return None


def choose_optimizer(asked: str, card: Card | None, packages: Mapping[str, str]) -> Setting:
    """8-bit paged AdamW on a CUDA GPU, where bitsandbytes is installed."""
    has_8_bit = card is not None and "bitsandbytes" in packages
    if asked == "auto":
        why = "no CUDA GPU" if card is None else "a CUDA GPU" if has_8_bit else "bitsandbytes is not installed"
        return Setting(asked, "paged_adamw_8bit" if has_8_bit else "adamw", why)
    if asked != "adamw" and "bitsandbytes" not in packages:
        raise ConfigError(f"kernels.optimizer={asked} needs bitsandbytes; type: pip install bitsandbytes")
    if asked.startswith("paged") and card is None:
        raise ConfigError(f"kernels.optimizer={asked} pages between a CUDA GPU and the CPU, and no GPU is used here.")
    return Setting(asked, asked, "asked for")


def installed_packages() -> dict[str, str]:
    """Name → version of the optional packages that are here."""
    from importlib import metadata

    found = {}
    for name in ("bitsandbytes", "flash-attn", "liger-kernel"):
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def dotted(capability: tuple[int, int]) -> str:
    """(8, 6) → 8.6"""
    return f"{capability[0]}.{capability[1]}"
