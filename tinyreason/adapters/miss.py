"""MiSS: W's inputs are cut into shards that share one trained matrix D (r × out); ΔW repeats Dᵀ along the inputs.

Why: "MiSS: Balancing LoRA Performance and Efficiency with Simple Shard Sharing", arXiv 2409.15371 (formerly Bone).
Formula: y = W x + Dᵀ s, with s_j the sum of every r-th input x_j, x_{j+r}, …; D starts at zero. No α: the step is lr's.
Bone itself is `variant: bat`: W is cut into r × r blocks, each row of blocks has one trained r × r matrix, the bone E,
and ΔW_block = W_block E + E; E starts at zero. The update then depends on W, and r must divide both sides of a layer.
Cost: `bat` builds W + ΔW anew in each forward pass, so it samples and trains slower than it counts parameters.
Learning rate: 1e-4, a guess between LoRA's and LoRA-XS's. The sandbox wants what its LoRA has, 2e-3: +72 points, and +3
at 1e-4 (docs/results.md). PEFT's own layer computes it.
Example: `adapter: {kind: miss, variant: bat, rank: 64}`
"""

from math import gcd
from pathlib import Path
from typing import Any, Literal

from pydantic import model_validator

from tinyreason.adapters._adapter import Adapter
from tinyreason.adapters._fit import read_adapter_config
from tinyreason.errors import ConfigError, ModelError

BONE_RANK = 64


class Miss(Adapter):
    """Trains one matrix that the shards of each layer share, or with `bat` one for each row of blocks."""

    kind: Literal["miss"] = "miss"
    variant: Literal["balance", "bat"] = "balance"
    """MiSS, or `bat`, Bone as it was first published, whose default rank is 64."""

    @model_validator(mode="before")
    @classmethod
    def bone_has_a_rank_of_its_own(cls, values: Any) -> Any:
        """Gives `bat` the rank of its paper where none is given."""
        is_bone = isinstance(values, dict) and values.get("variant") == "bat"
        return {"rank": BONE_RANK} | values if is_bone else values

    @property
    def default_learning_rate(self) -> float:
        return 1e-4

    @property
    def quantized_bases(self) -> tuple[str, ...]:
        return ("nf4",) if self.variant == "bat" else ("nf4", "int8")  # it skips LLM.int8, so is not its base at first

    @property
    def rebuilds_weights(self) -> bool:
        return self.variant == "bat"

    @property
    def trains_inputs(self) -> bool:
        return self.rebuilds_weights

    def choose(self, linear: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
        chosen = super().choose(linear)
        if self.variant == "bat":
            common = gcd(*(side for shape in chosen.values() for side in shape))
            if common % self.rank:
                divisor = max(number for number in range(1, self.rank) if common % number == 0)
                name, shape = next(item for item in chosen.items() if gcd(*item[1]) % self.rank)
                raise ConfigError(
                    f"adapter.variant=bat cuts layers into blocks of {self.rank} × {self.rank}, and {name} is "
                    f"{shape[0]} × {shape[1]}; type adapter.rank={divisor}, which divides all sides."
                )
        return chosen

    def check_start(self, where: str, folder: Path, layers: dict[str, tuple[int, int]]) -> None:
        variant = "bat" if read_adapter_config(where, folder).get("init_weights") == "bat" else "balance"
        if variant != self.variant:
            raise ModelError(f"{where} is of another variant than {self.variant}; type adapter.variant={variant}.")
        super().check_start(where, folder, layers)

    def peft_config(self, targets: list[str]):
        from peft import MissConfig

        init = "bat" if self.variant == "bat" else True
        return MissConfig(r=self.rank, target_modules=targets, task_type="CAUSAL_LM", init_weights=init)

    @property
    def plain_rank(self) -> int | None:
        return None

    def trained_parameters(self, layers: dict[str, tuple[int, int]]) -> int:
        return self.rank * sum(rows for rows, _ in layers.values())
