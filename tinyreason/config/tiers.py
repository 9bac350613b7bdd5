"""The tiers of recipes: what a machine must have to run the values that a tier holds."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Tier:
    """A class of machines."""

    memory_gb: float = 0.0
    """Least memory that the card reports, in GiB; 0 = no card is needed."""
    is_offline: bool = False
    """Whether its runs never use the network."""

    @property
    def needs_gpu(self) -> bool:
        return self.memory_gb > 0


TIERS = {
    "sandbox": Tier(is_offline=True),
    "cpu": Tier(),
    "8gb": Tier(5.9),
    "t4": Tier(11.75),
    "24gb": Tier(22.0),
    "80gb": Tier(75.0),
}
"""The word typed after --on → the tier, the smallest first."""
CPU_TIER = "cpu"
"""The one for a real model without a GPU."""
GPU_TIERS = {name: tier for name, tier in TIERS.items() if tier.needs_gpu}
"""Those that need a CUDA GPU."""
LEAST_CAPABILITY = (6, 0)
"""The oldest compute capability with GPU tiers: bitsandbytes' NF4 begins with Pascal."""


def with_derived_tiers(tiers: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Returns a recipe's tiers with the one for small cards that it does not write out, in the order of `TIERS`.

    `8gb` has the values of `t4` on an NF4 base, with half the rows in a micro-batch, of a warm-up and stages too, and a
    quarter of them in a batch of the evaluation.
    """
    derived = {"8gb": for_small_cards(tiers["t4"])} if "t4" in tiers else {}
    found = derived | tiers
    return {name: found[name] for name in TIERS if name in found}


def for_small_cards(tier: dict[str, Any]) -> dict[str, Any]:
    """Returns a tier's values on an NF4 base with fewer rows at once, without what was measured or expected of them."""
    values = {name: value for name, value in tier.items() if name not in ("measured", "expected")}
    if isinstance(values.get("model"), dict):
        values["model"] = values["model"] | {"quantize": "nf4"}
    values |= fewer_at_once(values, "evaluation", "batch_size", 4) | fewer_at_once(
        values, "train", "micro_batch_size", 2
    )
    if isinstance(values.get("warmup"), dict):
        values["warmup"] = values["warmup"] | fewer_at_once(values["warmup"], "train", "micro_batch_size", 2)
    if isinstance(values.get("stages"), list):
        values["stages"] = [
            stage | fewer_at_once(stage, "train", "micro_batch_size", 2) if isinstance(stage, dict) else stage
            for stage in values["stages"]
        ]
    return values


def fewer_at_once(values: dict[str, Any], section: str, option: str, part: int) -> dict[str, Any]:
    """Returns a section with one part of its rows at once; nothing where it does not say how many."""
    rows = values[section].get(option) if isinstance(values.get(section), dict) else None
    if type(rows) is not int:
        return {}
    return {section: values[section] | {option: max(1, rows // part) if rows % part == 0 else 1}}
