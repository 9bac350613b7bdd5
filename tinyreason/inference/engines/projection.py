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

    On a CPU the weights of plain layers, LoRA or not, are copied into one matrix, in the order that oneDNN likes best,
    and in float32 LoRA's ΔW is added. In half precision, where a small ΔW would be rounded away, and on a card, which
    has no memory to copy into, LoRA's factors stay beside the weights, those of all layers side by side. Any other
    layer, a quantised one for example, is called as it is.
    """

    def __init__(self, layers: Sequence[nn.Module], dtype: torch.dtype, rows: int):
        self.layers = None if all(map(is_low_rank, layers)) else layers
        if self.layers is not None:
            return
        weights = [bare_layer(layer).weight.detach() for layer in layers]
        biases = [bare_layer(layer).bias for layer in layers]
        loras = [low_rank_factors(layer) for layer in layers]
        on_cpu = weights[0].device.type == "cpu"
        self.beside = None
        if on_cpu and dtype == torch.float32:
            weights = [
                weight.float() if lora is None else torch.addmm(weight.float(), lora[1], lora[0])
                for weight, lora in zip(weights, loras, strict=True)
            ]
        elif any(loras):
            self.beside = factors_side_by_side(loras, [len(weight) for weight in weights], dtype)
        weights = [weight.to(dtype) for weight in weights]
        biases = [bias if bias is None else bias.detach().to(dtype) for bias in biases]
        if on_cpu:
            biases = [side_by_side(biases, [len(weight) for weight in weights])]
            weights = [torch.cat(weights) if len(weights) > 1 else weights[0]]
        self.parts = [(*packed(weight, rows), bias) for weight, bias in zip(weights, biases, strict=True)]

    def __call__(self, x: Tensor) -> Tensor:
        if self.layers is not None:
            outputs = [layer(x) for layer in self.layers]
        else:
            outputs = [call(x, weight, bias) for weight, call, bias in self.parts]
        y = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=-1)
        if self.layers is None and self.beside:
            inner, outer = self.beside
            y.addmm_(linear(x, inner), outer)
        return y


def side_by_side(biases: list[Tensor | None], sizes: list[int]) -> Tensor | None:
    """Returns the biases of all layers as one, 0 where a layer has none; None where none has."""
    known = next((bias for bias in biases if bias is not None), None)
    if known is None:
        return None
    return torch.cat([known.new_zeros(size) if its is None else its for its, size in zip(biases, sizes, strict=True)])


def factors_side_by_side(loras, sizes: list[int], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Returns all A's (Σr, in), and (Σr, Σout) with each layer's (s B)ᵀ in its own rows and columns."""
    inner = torch.cat([lora[0] for lora in loras if lora])
    outer, row, column = inner.new_zeros(len(inner), sum(sizes)), 0, 0
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
