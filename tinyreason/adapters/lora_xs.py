"""LoRA-XS: ΔW = (α/r) U_r R Σ_r V_rᵀ, with the r top singular vectors of W frozen and only R (r × r) trained.

Why: arXiv 2405.17604; r² parameters a layer, whatever its width: kilobytes for a whole model.
Here: R starts at exactly zero (the paper samples it with a standard deviation of 1e-5). On a quantised base the vectors
are those of the dequantised W. Saved are the folded plain LoRA, A = Σ_r V_rᵀ and B = U_r R, and R alone beside it.
Learning rate: 5e-3, measured on the sandbox (docs/results.md); the paper's supervised training has 4e-3 at that scale.
Rank and targets: measured there too: as many numbers do far more at r = 24 on the MLP than at r = 16 everywhere. On
one problem it memorises the answer at a constant rate: `train.schedule=linear`, and on a 4-bit base rank 40.
Example: `adapter: {kind: lora_xs, rank: 24}`
"""

from typing import Literal

from pydantic import Field

from tinyreason.adapters._adapter import Targets
from tinyreason.adapters._svd import SingularAdapter, singular_vectors


class LoraXs(SingularAdapter):
    """Trains an r × r matrix between the frozen singular vectors of each layer."""

    kind: Literal["lora_xs"] = "lora_xs"
    rank: int = Field(24, ge=1)
    """r, the number of frozen singular vectors of each layer; r² numbers are trained."""
    targets: Targets = "mlp"
    """Which linear layers get one: a group, or a list of their names; the LM head never does."""

    @property
    def default_learning_rate(self) -> float:
        return 5e-3

    def trained_parameters(self, layers: dict[str, tuple[int, int]]) -> int:
        return self.rank**2 * len(layers)

    def factors(self, weight):
        left, values, right = singular_vectors(weight, self.rank)
        return values[:, None] * right.T, left

    def middles(self, count: int, device) -> list:
        from tinyreason.adapters._layers import Matrix

        return [Matrix(self.rank, device) for _ in range(count)]
