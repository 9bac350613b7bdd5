"""Holds the modules that stand in for PEFT's lora_A and lora_B: frozen factors, and what is trained between them."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear


class Frozen(nn.Module):
    """Maps linearly, and nothing can set it to train: its weight is a buffer."""

    def __init__(self, weight: Tensor):
        super().__init__()
        self.register_buffer("weight", weight.contiguous(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight)


class Fixed(nn.Parameter):
    """A parameter that PEFT saves and loads like the others, and that nothing can set to train."""

    def __new__(cls, data: Tensor):
        return super().__new__(cls, data, requires_grad=False)

    def requires_grad_(self, requires_grad: bool = True):
        return super().requires_grad_(False)


class Matrix(nn.Module):
    """Trains R itself, r × r parameters, from zero or from a normal distribution of this standard deviation."""

    def __init__(self, rank: int, device, std: float = 0.0):
        super().__init__()
        self.R = nn.Parameter((std * torch.randn(rank, rank)).to(device))

    def matrix(self) -> Tensor:
        return self.R


class Mixture(nn.Module):
    """Mixes R = Σ_i v_i P_i, the P_i (u × r × r) random and frozen, and v (u) trained, perhaps by several layers."""

    def __init__(self, v: nn.Parameter, projections: Tensor):
        super().__init__()
        self.v = v
        self.register_buffer("projections", projections, persistent=False)

    def matrix(self) -> Tensor:
        return torch.einsum("u,urs->rs", self.v, self.projections)


class Outer(nn.Module):
    """Maps x (…, r) → outer R x; to PEFT it looks like lora_B, whose `weight` (out × r) is outer R."""

    def __init__(self, outer: Tensor, middle: nn.Module):
        super().__init__()
        self.middle = middle
        self.register_buffer("outer", outer.contiguous(), persistent=False)

    @property
    def weight(self) -> Tensor:
        return self.outer @ self.middle.matrix()

    def forward(self, x: Tensor) -> Tensor:
        return linear(linear(x, self.middle.matrix()), self.outer)
