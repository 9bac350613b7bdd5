"""LoRA: ΔW = (α/r)·B A, with A (r × in) and B (out × r) trained and the base frozen.

Why: arXiv 2106.09685; for RL even rank 1 keeps up with full fine-tuning (Thinking Machines, "LoRA Without Regret").
Learning rate: 1e-5, the low end of what TRL's "LoRA Without Regret" recipe uses for GRPO at α = 32.
Example: `adapter: {kind: lora, rank: 16, targets: all-linear}`
"""

from pathlib import Path
from typing import Literal

from pydantic import Field

from tinyreason.schema import Schema

TARGETS = {
    "all-linear": "all-linear",
    "mlp": ["gate_proj", "up_proj", "down_proj"],
    "attention": ["q_proj", "k_proj", "v_proj", "o_proj"],
}


class Lora(Schema):
    """Low-rank adapter on the linear layers."""

    kind: Literal["lora"] = "lora"
    rank: int = Field(16, ge=1)
    """r, the rank of the update (PEFT: r)"""
    alpha: float = Field(32.0, gt=0)
    """α; the update is scaled by α/r (PEFT: lora_alpha)"""
    dropout: float = Field(0.0, ge=0, lt=1)
    """dropout on the adapter's input (PEFT: lora_dropout)"""
    targets: Literal["all-linear", "mlp", "attention"] = "all-linear"
    """which linear layers get an adapter; the LM head never does"""

    @property
    def default_learning_rate(self) -> float:
        return 1e-5

    def attach(self, model, seed: int):
        """A PEFT model around `model`; A is drawn from `seed`, B is zero, so it starts as the base."""
        import torch
        from peft import LoraConfig, get_peft_model

        torch.manual_seed(seed)
        config = LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=TARGETS[self.targets],
            task_type="CAUSAL_LM",
        )
        return get_peft_model(model, config)

    def save(self, model, folder: Path) -> None:
        """Writes a folder that any PEFT user can load."""
        model.save_pretrained(folder, selected_adapters=["default"])  # TRL adds a frozen copy named "ref"

    def restore(self, model, folder: Path) -> None:
        """Puts a saved adapter's weights back into an attached one."""
        from peft import load_peft_weights, set_peft_model_state_dict

        set_peft_model_state_dict(model, load_peft_weights(str(folder), device=str(model.device)))
