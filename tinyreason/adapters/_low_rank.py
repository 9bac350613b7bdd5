"""Reads from a layer what PEFT's LoRA, or one of ours in its place, adds to it."""

from tinyreason.tensors import Tensor


def bare_layer(layer):
    """Returns the layer under an adapter, or the layer itself."""
    return getattr(layer, "base_layer", layer)


def is_low_rank(layer) -> bool:
    """Returns whether the layer computes W x, or W x + s B A x with the factors of at most one adapter, W in floats."""
    from peft.tuners.lora import Linear
    from torch import nn

    base = bare_layer(layer)
    if not isinstance(base, nn.Linear) or not base.weight.is_floating_point():
        return False
    if layer is base:
        return True
    names = layer.active_adapters
    has_more = any(layer.use_dora.values()) or any(layer.lora_bias.values()) if isinstance(layer, Linear) else True
    is_plain = not has_more and not layer.merged
    return is_plain and len(names) <= 1 and not any(map(layer.lora_variant.get, names))


def low_rank_factors(layer) -> tuple[Tensor, Tensor] | None:
    """Returns A (r, in) and s B (out, r) of the layer's active adapter in float32; None without one."""
    if layer is bare_layer(layer) or layer.disable_adapters:
        return None
    name = next((name for name in layer.active_adapters if name in layer.lora_A), None)
    if name is None:
        return None
    inner, outer = layer.lora_A[name].weight.detach(), layer.lora_B[name].weight.detach()
    return inner.float(), layer.scaling[name] * outer.float()


def learnt_row(model) -> tuple[int, Tensor] | None:
    """Returns the token whose row alone an active adapter changes, and that row (width,) in float32; else None.

    That is what the adapter `new_token` does, or any LoRA on the embedding that is like its.
    """
    layer = model.get_input_embeddings()
    if layer is bare_layer(layer) or getattr(layer, "disable_adapters", True):
        return None
    names = [name for name in layer.active_adapters if name in getattr(layer, "lora_embedding_A", ())]
    if len(names) != 1 or layer.lora_embedding_A[names[0]].shape[0] != 1:
        return None
    inner, outer = layer.lora_embedding_A[names[0]].detach(), layer.lora_embedding_B[names[0]].detach()
    tokens = inner[0].nonzero()[:, 0]
    if len(tokens) != 1:
        return None
    added = layer.scaling[names[0]] * inner[0, tokens].float() * outer[:, 0].float()
    return int(tokens), layer.base_layer.weight.detach()[tokens[0]].float() + added
