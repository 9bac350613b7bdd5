"""What a run computes with on this machine: number format, quantisation and fast kernels, each with the reason."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from tinyreason.config.model import Model
from tinyreason.config.run_config import Kernels
from tinyreason.errors import ConfigError
from tinyreason.models.attention import attentions_of
from tinyreason.models.hardware import Card, Cpu, dotted

UNKNOWN_CPU = Cpu("CPU")
FLASH_FOR_BLACKWELL = "2.8.3.post1"
"""The first flash-attn built for compute capability 12.x."""

SLOW_FLOAT16 = (6, 1)
"""Pascal's GeForce cards, which do float16 arithmetic slower than float32."""
TRITON_FROM = (7, 0)
"""The first compute capability that Triton compiles for."""

LIGER_MODELS = frozenset(
    "gemma gemma2 gemma3_text glm4 granite llama mistral mixtral olmo2 olmo3 phi3 qwen2 qwen3 qwen3_moe smollm3".split()
)
"""Text models (`model_type`) that liger-kernel has kernels for."""


@dataclass(frozen=True)
class Setting:
    """What was asked for, what was chosen, and why."""

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

    @property
    def avoids_enable_gqa(self) -> bool:
        """Whether PyTorch's attention is kept from `enable_gqa`, for which a card before Ampere has no fast kernel."""
        return self.attention.got == "sdpa" and is_before_ampere(self.card)

    @property
    def fuses_optimizer(self) -> bool:
        """Whether AdamW takes a step in one kernel."""
        return self.device == "cuda" and self.optimizer.got == "adamw"

    @property
    def has_triton(self) -> bool:
        """Whether kernels written in Triton can run."""
        return self.card is not None and self.card.capability >= TRITON_FROM

    def settings(self) -> dict[str, Setting]:
        """Returns name → setting, such as `dtype`, in their order."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Setting)}


def choose_compute_settings(
    model: Model,
    kernels: Kernels,
    card: Card | None,
    packages: Mapping[str, str],
    model_type: str | None,
    cpu: Cpu = UNKNOWN_CPU,
) -> ComputeSettings:
    """Returns the fastest settings that card or CPU, installed packages (name → version) and model allow.

    Of this machine it reads only what transformers' source says of the model's type. Errors: `ConfigError` for what was
    asked for and cannot be had; `auto` never fails.
    """
    cpu = UNKNOWN_CPU if model.is_built_in and model.dtype == "auto" else cpu
    dtype = choose_dtype(model.dtype, card, cpu, "sdpa" in attentions_of(model_type))
    return ComputeSettings(
        card=card,
        dtype=dtype,
        quantize=choose_quantization(model.quantize, card, packages),
        attention=choose_attention(kernels.attention, dtype.got, card, packages, model_type),
        fused=choose_fused(kernels.fused, card, packages, model_type),
        optimizer=choose_optimizer(kernels.optimizer, card, packages),
    )


def choose_dtype(asked: str, card: Card | None, cpu: Cpu = UNKNOWN_CPU, has_sdpa: bool = True) -> Setting:
    """Chooses bfloat16 from Ampere on, float16 before, where the model has an attention that bears it; else float32.

    On a CPU bfloat16 is for who asks. There a layer's output is rounded after the adapter's part is added, and a part
    below half a unit of its last place is lost: it is faster, and its loss falls more slowly (docs/results.md, "The cpu
    tier").
    """
    if card is None:
        fitting, why = "float32", "no CUDA GPU"
        if cpu.bfloat16_by:
            why += f"; model.dtype=bfloat16 is faster by {cpu.bfloat16_by}, and rounds small updates away"
        impossible = ("float16",) if cpu.bfloat16_by else ("bfloat16", "float16")
    else:
        fitting = "bfloat16" if card.has_bfloat16 else "float16"
        generation = "Ampere or newer" if card.has_bfloat16 else "before Ampere, no bfloat16"
        if fitting == "float16" and not has_sdpa:
            fitting = "float32"
            generation += ", and this model's attention, eager alone, overflows in float16"
        elif card.capability == SLOW_FLOAT16:
            generation += ", and float16 saves memory alone: it is not faster than float32"
        why, impossible = f"{card.describe()}: {generation}", () if card.has_bfloat16 else ("bfloat16",)
    if asked in impossible:
        raise ConfigError(f"model.dtype={asked} is impossible here ({why}); type model.dtype={fitting}.")
    return Setting(asked, fitting, why) if asked == "auto" else Setting(asked, asked, "asked for")


def choose_quantization(asked: str, card: Card | None, packages: Mapping[str, str]) -> Setting:
    """Returns what was asked for, where bitsandbytes can do it. Errors: `ConfigError`."""
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


def choose_attention(
    asked: str, dtype: str, card: Card | None, packages: Mapping[str, str], model_type: str | None
) -> Setting:
    """Chooses FlashAttention-2 where it can run, else PyTorch's own, else plain matrices, refused in float16."""
    has_sdpa = "sdpa" in attentions_of(model_type)
    other = "sdpa" if has_sdpa else "eager"
    obstacle = flash_obstacle(dtype, card, packages, model_type)
    if asked == "flash_attention_2" and obstacle:
        raise ConfigError(
            f"kernels.attention={asked} is impossible here: {obstacle}; or type kernels.attention={other}."
        )
    lack = f"transformers has no SDPA for models of type {model_type}"
    if asked == "sdpa" and not has_sdpa:
        raise ConfigError(f"kernels.attention=sdpa is impossible here: {lack}; type kernels.attention=eager.")
    got, why = asked, "asked for"
    if asked == "auto":
        got = other if obstacle else "flash_attention_2"
        why = obstacle or f"flash-attn {packages['flash-attn']}"
        why += "" if has_sdpa or not obstacle else f"; {lack}"
    if got == "eager" and dtype == "float16":
        way = "kernels.attention=sdpa, or " if has_sdpa else ""
        raise ConfigError(
            f"kernels.attention=eager overflows in float16, whose largest number is 65,504"
            f"{'' if has_sdpa else f', and {lack}'}; type {way}model.dtype=float32."
        )
    if got == "sdpa" and is_before_ampere(card):
        why += "; queries that share keys are packed, without enable_gqa, which has only the math kernel before Ampere"
    return Setting(asked, got, why)


def is_before_ampere(card: Card | None) -> bool:
    """Returns whether there is a card and its compute capability is below 8.0."""
    return card is not None and card.capability < (8, 0)


def flash_obstacle(dtype: str, card: Card | None, packages: Mapping[str, str], model_type: str | None) -> str | None:
    """Returns why FlashAttention-2 cannot run, or None."""
    if card is None:
        return "FlashAttention-2 needs a CUDA GPU and none is used"
    if card.capability < (8, 0):
        return f"FlashAttention-2 needs compute capability 8.0 (Ampere) and {card.describe()} is older"
    if "flash_attention_2" not in attentions_of(model_type):
        return f"transformers has no FlashAttention-2 for models of type {model_type}"
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
    """Returns whether a package's version comes before another."""
    from packaging.version import Version

    return Version(version) < Version(than)


def choose_fused(asked: str, card: Card | None, packages: Mapping[str, str], model_type: str | None) -> Setting:
    """Chooses Liger's kernels where they can run."""
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
    """Returns why Liger's kernels cannot run, or None."""
    if card is None:
        return "Liger's kernels need a CUDA GPU and none is used"
    if card.capability < TRITON_FROM:
        return f"Liger's kernels need compute capability {dotted(TRITON_FROM)} and {card.describe()} is older"
    if model_type not in LIGER_MODELS:
        return f"Liger has no kernels for models of type {model_type}"
    if "liger-kernel" not in packages:
        return "liger-kernel is not installed (pip install liger-kernel)"
    return None


def choose_optimizer(asked: str, card: Card | None, packages: Mapping[str, str]) -> Setting:
    """Chooses torch's AdamW, fused on a CUDA GPU: the states of an adapter are too small to pay for 8 bits."""
    if asked == "auto":
        fused = "fused; an adapter's states are small, and 8 bits for them would cost speed"
        return Setting(asked, "adamw", "no CUDA GPU" if card is None else fused)
    if asked != "adamw" and "bitsandbytes" not in packages:
        raise ConfigError(f"kernels.optimizer={asked} needs bitsandbytes; type: pip install bitsandbytes")
    if asked.startswith("paged") and card is None:
        raise ConfigError(f"kernels.optimizer={asked} pages between a CUDA GPU and the CPU, and no GPU is used here.")
    return Setting(asked, asked, "asked for")


def installed_packages() -> dict[str, str]:
    """Returns name → version of the optional packages that are installed."""
    from importlib import metadata

    found = {}
    for name in ("bitsandbytes", "flash-attn", "liger-kernel"):
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
