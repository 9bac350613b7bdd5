"""An attention function for packed rows: what several rows begin with is there once, and each row attends to its own.

A packed sequence holds prompt after prompt; behind each stand `branches` of tokens, which attend to the whole prompt
and, under a mask, to tokens of their own branch: a row to what it said before, or, where a branch is a tree of rows,
each token to its ancestors. Or all of it is attended to at once, under one mask. Any transformers decoder that takes an
attention function can be run so. Where no packing is passed, it is PyTorch's attention as transformers calls it. On a
CPU it is computed in float32 where there is to be a gradient.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "shared_prefixes"
"""What transformers knows the function by."""


@dataclass(frozen=True)
class Share:
    """One prompt of a packed sequence and what stands behind it, in places of that sequence."""

    start: int
    prompt: int
    """Tokens of the prompt, from `start` on."""
    tokens: int
    """Tokens behind it."""
    mask: Tensor
    """(tokens of a branch, prompt + tokens of a branch), true where the one may attend to the other."""
    places: Tensor | None = None
    """(branches × tokens of a branch) → place behind the prompt, padded with places of others; None = one branch."""
    back: Tensor | None = None
    """(tokens) → where each stands in `places`."""


@dataclass(frozen=True, eq=False)
class Whole:
    """A packed sequence under one mask: more is computed, by the fewest kernels."""

    mask: Tensor
    """(tokens, tokens), true where the one may attend to the other."""
    biases: dict[torch.dtype, Tensor] = field(default_factory=dict)

    def bias(self, dtype: torch.dtype) -> Tensor:
        """Returns the mask as what is added to the scores, made once for all layers."""
        if dtype not in self.biases:
            nothing = torch.zeros(self.mask.shape, dtype=dtype, device=self.mask.device)
            self.biases[dtype] = nothing.masked_fill_(~self.mask, -torch.inf)
        return self.biases[dtype]


def shared_attention(
    module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask,
    dropout=0.0,
    scaling=None,
    shares=None,
    **more: Any,
) -> tuple[Tensor, None]:
    """Returns attention (1, tokens, heads, width) of queries (1, heads, tokens, width) on keys and values."""
    if query.dtype == torch.bfloat16 and query.device.type == "cpu" and query.requires_grad:
        wide = (x.float() for x in (query, key, value))  # whose gradient takes less than half the time there
        output, _ = shared_attention(module, *wide, attention_mask, dropout, scaling, shares, **more)
        return output.to(query.dtype), None
    if shares is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **more)
    if more.get("softcap") is not None or dropout:
        raise ValueError("shared_prefixes has neither softcapping nor dropout")
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    if isinstance(shares, Whole):
        output = scaled_dot_product_attention(query, key, value, attn_mask=shares.bias(query.dtype), scale=scaling)
        return output.transpose(1, 2).contiguous(), None
    outputs = []
    for share in shares:
        first, last = share.start + share.prompt, share.start + share.prompt + share.tokens
        q, k, v = (x[:, :, share.start : first] for x in (query, key, value))
        outputs.append(scaled_dot_product_attention(q, k, v, is_causal=True, scale=scaling))
        q, k, v = branches(query, share), with_prompt(key, share), with_prompt(value, share)
        output = scaled_dot_product_attention(q, k, v, attn_mask=share.mask, scale=scaling)
        if share.back is not None:
            output = output.transpose(0, 1).flatten(1, 2)[:, share.back].unsqueeze(0)
        outputs.append(output)
        assert output.shape[2] == last - first
    return torch.cat(outputs, dim=2).transpose(1, 2).contiguous(), None


def branches(x: Tensor, share: Share) -> Tensor:
    """Returns (branches, heads, tokens of a branch, width) of what stands behind a prompt, from (1, heads, …)."""
    first = share.start + share.prompt
    x = x[:, :, first : first + share.tokens]
    if share.places is None:
        return x
    return x[0].index_select(1, share.places).unflatten(1, (-1, len(share.mask))).transpose(0, 1)


def with_prompt(x: Tensor, share: Share) -> Tensor:
    """Returns (branches, heads, prompt + tokens of a branch, width): the prompt before each branch."""
    if share.places is None:
        return x[:, :, share.start : share.start + share.prompt + share.tokens]
    behind = branches(x, share)
    return torch.cat([x[:, :, share.start : share.start + share.prompt].expand(len(behind), -1, -1, -1), behind], dim=2)


AttentionInterface.register(NAME, shared_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
