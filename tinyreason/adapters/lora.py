"""LoRA: ΔW = (α/r)·B A, with A (r × in) and B (out × r) trained and the base frozen.

Why: arXiv 2106.09685; for RL even rank 1 keeps up with full fine-tuning (Thinking Machines, "LoRA Without Regret").
Variants: rsLoRA scales by α/√r (arXiv 2312.03732); DoRA also trains each output's magnitude (arXiv 2402.09353);
PiSSA starts from the top singular vectors of W (arXiv 2404.02948), OLoRA from its QR factors (arXiv 2406.01775).
Learning rate: 1e-5, the low end of what TRL's "LoRA Without Regret" recipe uses for GRPO at α = 32.
Example: `adapter: {kind: lora, rank: 16, targets: all-linear}`
"""

from math import sqrt
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from tinyreason.adapters._adapter import Adapter, lora_factors, read_lora, write_lora

MOVES_THE_BASE = ("pissa", "olora")
"""Initialisations that take the start out of W, so that W + ΔW begins as the base."""


class Lora(Adapter):
    """Trains a low-rank update of the linear layers."""

    kind: Literal["lora"] = "lora"
    alpha: float = Field(32.0, gt=0)
    """α; the update is scaled by α/r (PEFT: lora_alpha)."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout on the adapter's input (PEFT: lora_dropout)."""
    rslora: bool = False
    """Scale by α/√r, so that a larger rank does not shrink the update (PEFT: use_rslora)."""
    dora: bool = False
    """Train magnitudes apart from directions (PEFT: use_dora)."""
    init: Literal["default", "gaussian", "orthogonal", "pissa", "olora"] = "default"
    """How A and B start (PEFT: init_lora_weights)."""

    @property
    def default_learning_rate(self) -> float:
        return 1e-5

    @property
    def quantized_bases(self) -> tuple[str, ...]:
        if self.init in (*MOVES_THE_BASE, "orthogonal"):
            return ()
        return ("nf4",) if self.dora else ("nf4", "int8")

    @property
    def trains_inputs(self) -> bool:
        return True

    @property
    def plain_rank(self) -> int | None:
        return None if self.dora else self.rank * (2 if self.init in MOVES_THE_BASE else 1)

    @property
    def decomposes(self) -> bool:
        return self.init in MOVES_THE_BASE

    def trained_parameters(self, layers: dict[str, tuple[int, int]]) -> int:
        return sum(self.rank * (rows + columns) + (rows if self.dora else 0) for rows, columns in layers.values())

    def frozen_parameters(self, layers: dict[str, tuple[int, int]]) -> int:
        return self.trained_parameters(layers) if self.start or self.init in MOVES_THE_BASE else 0

    @model_validator(mode="after")
    def switches_agree(self) -> Self:
        if self.dora and self.init != "default":
            raise ValueError(f"dora=true and init={self.init} do not go together; type adapter.init=default")
        if self.start and self.init != "default":
            raise ValueError(f"an adapter to start from leaves nothing to initialise; drop adapter.init={self.init}")
        if self.init == "orthogonal" and self.rank % 2:
            raise ValueError(f"init=orthogonal wants an even rank, not {self.rank}")
        return self

    def peft_config(self, targets: list[str]):
        from peft import LoraConfig

        return LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            use_rslora=self.rslora,
            use_dora=self.dora,
            init_lora_weights=True if self.init == "default" else self.init,
            target_modules=targets,
            task_type="CAUSAL_LM",
        )

    def prepare(self, adapted, tokenizer: Any) -> None:
        if self.init in MOVES_THE_BASE:  # the start is kept, as the reference and to save ΔW against
            config = adapted.peft_config["default"]
            config.init_lora_weights = True
            adapted.add_adapter("ref", config)
            for name, start in adapted.named_parameters():
                if ".default." in name:
                    adapted.get_parameter(name.replace(".default.", ".ref.")).data.copy_(start.data)

    def save(self, model, folder: Path) -> None:
        if self.init not in MOVES_THE_BASE:
            super().save(model, folder)
            return
        import torch

        now, start = lora_factors(model, "default"), lora_factors(model, "ref")
        difference = {
            name: (torch.cat([a, start[name][0]], dim=0), torch.cat([b, -start[name][1]], dim=1))
            for name, (a, b) in now.items()
        }
        scale = sqrt(2) if self.rslora else 2  # of α, as the rank doubles
        write_lora(model, folder, difference, rank=2 * self.rank, alpha=scale * self.alpha)

    def restore(self, model, folder: Path) -> None:
        if self.init not in MOVES_THE_BASE:
            super().restore(model, folder)
            return
        now = lora_factors(model, "default")
        for name, (a, b) in read_lora(folder).items():
            now[name][0].copy_(a[: self.rank])
            now[name][1].copy_(b[:, : self.rank])
