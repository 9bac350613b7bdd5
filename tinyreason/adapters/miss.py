"""MiSS: W's inputs are cut into shards that share one trained matrix D (r × out); ΔW repeats Dᵀ along the inputs.

Why: "MiSS: Balancing LoRA Performance and Efficiency with Simple Shard Sharing", arXiv 2409.15371 (formerly Bone).
Formula: y = W x + Dᵀ s, with s_j the sum of every r-th input x_j, x_{j+r}, …; D starts at zero. No α: the step is lr's.
Learning rate: 1e-4, a guess between LoRA's and LoRA-XS's. The sandbox wants what its LoRA has, 2e-3: +72 points, and +3
at 1e-4 (docs/results.md). PEFT's own layer computes it.
Example: `adapter: {kind: miss, rank: 16}`
"""

from typing import Literal

from tinyreason.adapters._adapter import Adapter


class Miss(Adapter):
    """Trains one matrix that the shards of each layer share."""

    kind: Literal["miss"] = "miss"

    @property
    def default_learning_rate(self) -> float:
        return 1e-4

    def peft_config(self, targets: list[str]):
        from peft import MissConfig

        return MissConfig(r=self.rank, target_modules=targets, task_type="CAUSAL_LM")

    def trained_parameters(self, layers: dict[str, tuple[int, int]]) -> int:
        return self.rank * sum(rows for rows, _ in layers.values())
