"""The tiers of recipes: what a machine must have to run the values that a tier holds."""

from dataclasses import dataclass


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


TIERS = {"sandbox": Tier(is_offline=True), "t4": Tier(14.0), "24gb": Tier(22.0), "80gb": Tier(75.0)}
"""The word typed after --on → the tier, the smallest first."""
GPU_TIERS = {name: tier for name, tier in TIERS.items() if tier.needs_gpu}
"""Those that need a CUDA GPU."""
