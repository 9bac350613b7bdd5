"""What engines are tried on: prompts of several lengths, some of them twice, and adapters that change something."""

import torch

from tinyreason.adapters import ADAPTERS
from tinyreason.inference.engines.tokens import TokenRule

SAMPLED = TokenRule()
ENDS = {2, 7, 11, 30, 31, 32, 33, 34}
RAGGED = [[5, 9, 20], [5, 9, 20], [8], [40, 41, 42, 43, 44, 45, 46], [5, 9, 20], [5, 9, 21, 22]]


def with_adapter(model, kind: str, size: float = 0.2):
    """The model with an adapter that is not at its start, where it would change nothing."""
    if kind == "none":
        return model
    model = ADAPTERS[kind](rank=2, targets="all-linear").attach(model, seed=0)
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += size * torch.randn(parameter.shape, generator=generator).to(parameter.device)
    return model.eval()
