"""TinyLoRA: R of LoRA-XS as a mixture of frozen random matrices, ΔW = (α/r) U_r Σ_r (Σ_i v_i P_i) V_rᵀ; v is trained.

Why: "Learning to Reason in 13 Parameters", arXiv 2602.04118; u numbers a layer, or for the whole model when tied.
Here: P_i ~ N(0, 1/r) as in PEFT's TinyLoRA, v starts at zero. PEFT's refuses quantised bases; this one is folded into a
plain LoRA like LoRA-XS, so it sits on float, NF4 and int8 bases alike and any PEFT user can load it.
Learning rate: 1e-3, the upper end of published runs' 1e-4 to 1e-3. The sandbox model, far smaller than the paper's,
gains nothing at it and breaks at 1e-2 (docs/results.md).
Example: `adapter: {kind: tinylora, rank: 2, vector: 64, tied: true}`
"""

from typing import Literal

from pydantic import Field

from tinyreason.adapters._svd import SingularAdapter, singular_vectors


class Tinylora(SingularAdapter):
    """Trains a vector that mixes random matrices between the frozen singular vectors of each layer."""

    kind: Literal["tinylora"] = "tinylora"
    rank: int = Field(2, ge=1)
    """r, the number of frozen singular vectors (the paper finds 2 best)."""
    vector: int = Field(64, ge=1)
    """u, the length of v."""
    tied: bool = False
    """One v for the whole model instead of one for each layer."""

    @property
    def default_learning_rate(self) -> float:
        return 1e-3

    def trained_parameters(self, layers: dict[str, tuple[int, int]]) -> int:
        return self.vector * (1 if self.tied else len(layers))

    def frozen_parameters(self, layers: dict[str, tuple[int, int]]) -> int:
        return super().frozen_parameters(layers) + self.vector * self.rank**2 * len(layers)

    def factors(self, weight):
        left, values, right = singular_vectors(weight, self.rank)
        return right.T, left * values

    def middles(self, count: int, device) -> list:
        import torch

        from tinyreason.adapters._layers import Mixture

        generator = torch.Generator().manual_seed(42)
        shape = (self.vector, self.rank, self.rank)
        vectors = [
            torch.nn.Parameter(torch.zeros(self.vector, device=device)) for _ in range(1 if self.tied else count)
        ]
        return [
            Mixture(
                vectors[0 if self.tied else number],
                (torch.randn(shape, generator=generator) / self.rank**0.5).to(device),
            )
            for number in range(count)
        ]
