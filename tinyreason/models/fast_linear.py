"""Faster linear layers: LoRA as one operation, and on AMD's processors in float32 through oneDNN.

On AMD, PyTorch's own float32 product goes through MKL, which keeps AVX-512 to Intel; oneDNN does not. On Intel, MKL is
the faster by 1 to 13 % (Xeon with AVX-512, layers of 128 to 1536). Which of them is used follows from the processor
alone, so that a run that is resumed computes as before.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

ONEDNN_LINEAR = "_linear_pointwise"
"""PyTorch's operator (x, W, b, what follows, its numbers, its way) → x Wᵀ + b through oneDNN."""

TAKEN = {
    "cpu": (torch.float32, torch.bfloat16),
    "cuda": (torch.float32, torch.bfloat16, torch.float16),
}
"""Device → the number formats of the layers whose LoRA is one operation there."""


@cache
def prefers_onednn() -> bool:
    """Returns whether this is an AMD processor with AVX-512 and this PyTorch has oneDNN's linear."""
    try:
        is_amd = "AuthenticAMD" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    has_wide = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    return is_amd and has_wide and torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, ONEDNN_LINEAR)


def frozen_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Returns x Wᵀ + b, by the faster library; keeps nothing for a gradient where oneDNN computes it."""
    if x.dtype == torch.float32 and x.device.type == "cpu" and prefers_onednn():
        return getattr(torch.ops.mkldnn, ONEDNN_LINEAR)(x.contiguous(), weight, bias, "none", [], "")
    return linear(x, weight, bias)


class FrozenLinear(torch.autograd.Function):
    """x Wᵀ + b with a gradient for x alone."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(weight)
        return frozen_linear(x, weight, bias)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        (weight,) = ctx.saved_tensors
        return frozen_linear(gradient, weight.t(), None), None, None


class LoraLinear(torch.autograd.Function):
    """x Wᵀ + b + s (x Aᵀ) Bᵀ on a frozen W, added in place where PEFT makes a copy for every term.

    In bfloat16 A and B are rounded to it, as they are under autocast on a card; they themselves stay in float32.
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float) -> Tensor:
        rows, a, b = x.reshape(-1, x.shape[-1]), a.to(x.dtype), b.to(x.dtype)
        low = linear(rows, a)
        output = frozen_linear(rows, weight, bias).addmm_(low, b.t(), alpha=scale)
        ctx.save_for_backward(rows, low, weight, a, b)
        ctx.scale = scale
        return output.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        rows, low, weight, a, b = ctx.saved_tensors
        shape, gradient = gradient.shape[:-1], gradient.reshape(-1, gradient.shape[-1])
        needs_x, needs_a, needs_b = (ctx.needs_input_grad[place] for place in (0, 3, 4))
        of_low = (gradient @ b).mul_(ctx.scale) if needs_x or needs_a else None
        of_x = frozen_linear(gradient, weight.t(), None).addmm_(of_low, a).view(*shape, -1) if needs_x else None
        of_a = of_low.t() @ rows if needs_a else None
        of_b = (gradient.t() @ low).mul_(ctx.scale) if needs_b else None
        return of_x, None, None, *(None if grad is None else grad.float() for grad in (of_a, of_b)), None


class FastLinear:
    """Laid before a frozen `nn.Linear`."""

    def forward(self, x: Tensor) -> Tensor:
        if is_plain(x, self):
            return FrozenLinear.apply(x, self.weight, self.bias)
        return super().forward(x)


class FastLora:
    """Laid before PEFT's LoRA layer."""

    def forward(self, x: Tensor, *args, **more) -> Tensor:
        adapters = [name for name in self.active_adapters if name in self.lora_A]
        if (
            self.disable_adapters
            or self.merged
            or args
            or more
            or len(adapters) != 1
            or not is_plain(x, self.base_layer)
        ):
            return super().forward(x, *args, **more)
        (name,) = adapters
        if name in self.lora_variant or not isinstance(self.lora_dropout[name], nn.Identity):
            return super().forward(x)
        a, b, base = self.lora_A[name].weight, self.lora_B[name].weight, self.base_layer
        return LoraLinear.apply(x, base.weight, base.bias, a, b, self.scaling[name])


def is_plain(x: Tensor, layer: nn.Linear) -> bool:
    """Returns whether a layer is frozen and computes in its own number format, one that is taken on its device."""
    kind = x.device.type
    is_cast = torch.is_autocast_enabled(kind) and (kind == "cpu" or torch.get_autocast_dtype(kind) != x.dtype)
    return x.dtype == layer.weight.dtype in TAKEN.get(kind, ()) and not is_cast and not layer.weight.requires_grad


@contextmanager
def fast_linears(model: nn.Module) -> Iterator[None]:
    """Holds a model's frozen linear layers and its LoRA layers to the faster way inside; others stay as they are."""
    changed = {}
    for module in model.modules():
        if isinstance(module, nn.Linear):
            on_cpu = module.weight.device.type == "cpu"
            before = FastLinear if type(module) is nn.Linear and on_cpu and prefers_onednn() else None
        else:
            is_lora = hasattr(module, "lora_A") and type(getattr(module, "base_layer", None)) is nn.Linear
            before = FastLora if is_lora and hasattr(module, "lora_variant") else None
        if before:
            changed[module] = type(module)
    for module, kind in changed.items():
        module.__class__ = type(kind.__name__, (FastLinear if kind is nn.Linear else FastLora, kind), {})
    try:
        yield
    finally:
        for module, kind in changed.items():
            module.__class__ = kind
