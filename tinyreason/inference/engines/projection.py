"""Several linear layers of the same input as one, an adapter's share included."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from tinyreason.adapters import bare_layer, is_low_rank, low_rank_factors

PACKED_FROM = 2**17
"""Weights with at least so many numbers are reordered for oneDNN on a CPU; with fewer, MKL is faster."""


class Projection:
    """Maps x (rows, in) to the outputs of all layers side by side, (rows, out).

    On a CPU the weights of plain layers, LoRA or not, are copied into one matrix, in the order that oneDNN likes best.
    In float32 LoRA's ΔW is added; in half precision, where a small ΔW would be rounded away, it stays beside it, the
    factors of all layers side by side. Any other layer, a quantised one for example, is called as it is.
    """

    def __init__(self, layers: Sequence[nn.Module], dtype: torch.dtype, rows: int):
        is_folded = all(map(is_low_rank, layers)) and bare_layer(layers[0]).weight.device.type == "cpu"
        self.layers = None if is_folded else layers
        if not is_folded:
            return
        weights = [bare_layer(layer).weight.detach() for layer in layers]
        biases = [bare_layer(layer).bias for layer in layers]
        loras = [low_rank_factors(layer) for layer in layers]
        self.beside = None
        if dtype == torch.float32:
            weights = [
                weight.float() if lora is None else torch.addmm(weight.float(), lora[1], lora[0])
                for weight, lora in zip(weights, loras, strict=True)
            ]
        elif any(loras):
            self.beside = factors_side_by_side(loras, [len(weight) for weight in weights], dtype)
        weight = torch.cat([weight.to(dtype) for weight in weights]) if len(weights) > 1 else weights[0].to(dtype)
        self.bias = None
        if any(bias is not None for bias in biases):
            parts = (
                weight.new_zeros(len(its)) if bias is None else bias.detach().to(dtype)
                for bias, its in zip(biases, weights, strict=True)
            )
            self.bias = torch.cat(list(parts))
        self.weight, self.call = packed(weight, rows)

    def __call__(self, x: Tensor) -> Tensor:
        if self.layers is not None:
            outputs = [layer(x) for layer in self.layers]
            return outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=-1)
        y = self.call(x, self.weight, self.bias)
        if self.beside:
            inner, outer = self.beside
            y.addmm_(linear(x, inner), outer)
        return y


def factors_side_by_side(loras, sizes: list[int], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Returns all A's (Σr, in), and (Σr, Σout) with each layer's (s B)ᵀ in its own rows and columns."""
    inner = torch.cat([lora[0] for lora in loras if lora])
    outer, row, column = torch.zeros(len(inner), sum(sizes)), 0, 0
    for lora, size in zip(loras, sizes, strict=True):
        if lora:
            rank = len(lora[0])
            outer[row : row + rank, column : column + size] = lora[1].T
            row += rank
        column += size
    return inner.to(dtype), outer.to(dtype)


def packed(weight: Tensor, rows: int):
    """Returns (weight, function of x, weight, bias): reordered for oneDNN where this torch has that on a CPU."""
    can_pack = weight.device.type == "cpu" and torch.backends.mkldnn.is_available() and weight.numel() >= PACKED_FROM
    if not can_pack or not hasattr(torch.ops.mkldnn, "_reorder_linear_weight"):
        return weight, linear
    return torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), rows), onednn_linear


def onednn_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Returns x Wᵀ + b by oneDNN."""
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
