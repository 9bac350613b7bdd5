"""Adapts between frozen singular vectors of W: ΔW = (α/r) U R Vᵀ with a small R, saved as the plain LoRA it is."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from tinyreason.adapters._adapter import Adapter, lora_factors, write_lora
from tinyreason.adapters._fit import check_tensors
from tinyreason.errors import ModelError

SMALL = 1024
"""Up to this side the exact decomposition is quick."""
STATE_FILE = "state.safetensors"


def singular_vectors(weight, rank: int):
    """Returns (U (out × r), S (r), V (in × r)) of a float matrix's r largest singular values; the same on every call.

    Exact for small matrices, else randomised subspace iteration (Halko et al., arXiv 0909.4061). The signs are fixed:
    the largest entry of each column of U is positive.
    """
    import torch

    weight = weight.float()
    if min(weight.shape) <= SMALL:
        left, values, right = torch.linalg.svd(weight, full_matrices=False)
        left, values, right = left[:, :rank], values[:rank], right[:rank].T
    else:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            left, values, right = torch.svd_lowrank(weight, q=min(2 * rank + 16, *weight.shape), niter=4)
        left, values, right = left[:, :rank], values[:rank], right[:, :rank]
    largest = left.abs().argmax(dim=0)
    signs = left.gather(0, largest[None])[0].sign()
    return left * signs, values, right * signs


class SingularAdapter(Adapter):
    """Puts frozen factors around each layer's R; a subclass says which factors, and what of R is trained."""

    alpha: float | None = Field(None, gt=0)
    """α; the update is scaled by α/r; null = r, so by 1."""
    keep: Literal["last", "every_step"] = "last"
    """What is kept: the last state, or what is trained after each step too, in the run's history/ (kilobytes)."""

    def factors(self, weight):
        """Returns (inner (r × in), outer (out × r)), frozen: ΔW = (α/r) outer R inner."""
        raise NotImplementedError

    def middles(self, count: int, device) -> list:
        """Returns for each of `count` layers the module whose `matrix()` is its R (r × r)."""
        raise NotImplementedError

    @property
    def decomposes(self) -> bool:
        return True

    def frozen_parameters(self, layers: dict[str, tuple[int, int]]) -> int:
        factors = sum(self.rank * (rows + columns) for rows, columns in layers.values())
        return 2 * factors if self.start else factors

    def peft_config(self, targets: list[str]):
        from peft import LoraConfig

        return LoraConfig(
            r=self.rank, lora_alpha=self.alpha or self.rank, target_modules=targets, task_type="CAUSAL_LM"
        )

    def prepare(self, adapted, tokenizer: Any) -> None:
        from tinyreason.adapters._layers import Frozen, Outer

        layers = adapted_layers(adapted).values()
        adapted.base_sha256 = sha256(layer.get_base_layer().weight for layer in layers)
        for layer, middle in zip(layers, self.middles(len(layers), adapted.device), strict=True):
            inner, outer = self.factors(float_weight(layer.get_base_layer()))
            layer.lora_A["default"], layer.lora_B["default"] = Frozen(inner), Outer(outer, middle)

    def save(self, model, folder: Path) -> None:
        """Writes a plain LoRA folder, and beside it what is trained alone, with the base's hash."""
        write_lora(model, folder, lora_factors(model, "default"), self.rank, self.alpha or self.rank)
        self.save_state(model, folder / STATE_FILE)

    def save_state(self, model, file: Path) -> None:
        from safetensors.torch import save_file

        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(dict(trained(model)), file, metadata={"base_sha256": model.base_sha256})

    def restore(self, model, folder: Path) -> None:
        from safetensors import safe_open

        if not (folder / STATE_FILE).is_file():
            raise ModelError(f"{folder} was not written by adapter {self.kind}: it has no {STATE_FILE}.")
        with safe_open(folder / STATE_FILE, "pt") as file:
            given = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            check_tensors(f"the adapter in {folder}", given, {name: tuple(p.shape) for name, p in trained(model)})
            base = file.metadata().get("base_sha256", "")
            if base != model.base_sha256:
                raise ModelError(
                    f"the adapter in {folder} belongs to another base (weights {base[:12]}…, here "
                    f"{model.base_sha256[:12]}…); name its own with model.name= and model.quantize=."
                )
            for name, parameter in trained(model):
                parameter.data.copy_(file.get_tensor(name))

    def after_step(self, model, folder: Path, step: int) -> None:
        if self.keep == "every_step":
            self.save_state(model, folder / "history" / f"{step:06}.safetensors")


def float_weight(layer):
    """Returns W (out × in) of a linear layer in float32, dequantised where bitsandbytes holds it in 4 or 8 bits."""
    weight = layer.weight.detach()
    if hasattr(layer.weight, "quant_state"):
        from bitsandbytes.functional import dequantize_4bit

        weight = dequantize_4bit(weight, layer.weight.quant_state)
    elif hasattr(layer.weight, "SCB"):  # a row's largest magnitude stands for 127; it moves at the first forward pass
        scales = layer.weight.SCB if layer.state.SCB is None else layer.state.SCB
        weight = weight * (scales[:, None] / 127)
    return weight.float()


def adapted_layers(model) -> dict:
    """Returns name → PEFT's LoRA layer around each base layer."""
    return {name: layer for name, layer in model.named_modules() if "default" in getattr(layer, "lora_B", ())}


def trained(model) -> Iterator[tuple]:
    """Yields (name, parameter) of what lies between the factors."""
    return ((name, p) for name, p in model.named_parameters() if ".lora_B.default." in name)


def sha256(weights) -> str:
    """Returns the SHA-256 of the bytes of the weights as they are stored, quantised or not."""
    import torch

    digest = hashlib.sha256()
    for weight in weights:
        digest.update(weight.detach().cpu().contiguous().view(torch.uint8).numpy())
    return digest.hexdigest()
