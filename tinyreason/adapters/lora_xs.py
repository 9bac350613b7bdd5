"""LoRA-XS: ΔW = (α/r) U_r R Σ_r V_rᵀ, with the r top singular vectors of W frozen and only R (r × r) trained.

Why: arXiv 2405.17604; r² parameters a layer, whatever its width: kilobytes for a whole model.
Here: on a quantised base the vectors are those of the dequantised W. Saved are the folded plain LoRA, A = Σ_r V_rᵀ and
B = U_r R, and R alone beside it.
Defaults: the paper's for Mistral-7B and Gemma-7B, rank 64 on all seven projections, α = r, and 4e-3 with
`train.schedule=cosine`. On the sandbox, whose layers are narrow: rank 24 on the MLP alone at 5e-3, measured there; on
one problem it memorises the answer at a constant rate: `train.schedule=linear`, and on a 4-bit base rank 40
(docs/results.md).
Translated: R starts at exactly zero, so that the run starts at its base; `init: normal` samples it as the paper does.
Example: `adapter: {kind: lora_xs, rank: 64}`
"""

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from tinyreason.adapters._svd import SingularAdapter, singular_vectors

STD = 1e-5
"""Standard deviation of R's numbers at the start with `init: normal`."""


class LoraXs(SingularAdapter):
    """Trains an r × r matrix between the frozen singular vectors of each layer."""

    on_sandbox: ClassVar[dict[str, Any]] = {"rank": 24, "targets": "mlp"}
    sandbox_learning_rate: ClassVar[float | None] = 5e-3

    kind: Literal["lora_xs"] = "lora_xs"
    rank: int = Field(64, ge=1)
    """r, the number of frozen singular vectors of each layer; r² numbers are trained."""
    init: Literal["zero", "normal"] = "zero"
    """How R starts: at zero, or sampled from a normal distribution with a standard deviation of 1e-5."""

    @property
    def default_learning_rate(self) -> float:
        return 4e-3

    @model_validator(mode="after")
    def start_needs_no_init(self) -> Self:
        if self.start and self.init != "zero":
            raise ValueError(f"an adapter to start from leaves nothing to initialise; drop adapter.init={self.init}")
        return self

    def trained_parameters(self, layers: dict[str, tuple[int, int]]) -> int:
        return self.rank**2 * len(layers)

    def factors(self, weight):
        left, values, right = singular_vectors(weight, self.rank)
        return values[:, None] * right.T, left

    def middles(self, count: int, device) -> list:
        from tinyreason.adapters._layers import Matrix

        std = STD if self.init == "normal" else 0.0
        return [Matrix(self.rank, device, std) for _ in range(count)]
