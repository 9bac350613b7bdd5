"""Adds an adapter into the weights of its base, in float32, dequantised first where bitsandbytes holds them."""

from pathlib import Path

from tinyreason.adapters._adapter import with_adapter
from tinyreason.adapters._svd import float_weight
from tinyreason.tensors import Tensor


def merge_adapter(model, folder: Path):
    """Returns the base of a PEFT model in float32 with the adapter of the folder added in; `model` is used up.

    A base in 4 or 8 bits is dequantised first: what is added to its own weights would be rounded away.
    """
    if is_quantized(model):
        model = with_adapter(dequantize(model.unload()), folder)
    return model.float().merge_and_unload()


def is_quantized(model) -> bool:
    """Returns whether bitsandbytes holds the model's weights in 4 or 8 bits."""
    return any(is_quantized_weight(parameter) for parameter in model.parameters())


def is_quantized_weight(weight) -> bool:
    """Returns whether bitsandbytes holds this weight in 4 or 8 bits."""
    return hasattr(weight, "quant_state") or hasattr(weight, "SCB")


def dequantize(model):
    """Returns the model with a plain linear layer in float32 for each one that bitsandbytes holds in 4 or 8 bits."""
    import torch

    for name, layer in list(model.named_modules()):
        if is_quantized_weight(getattr(layer, "weight", None)):
            plain = torch.nn.Linear(layer.in_features, layer.out_features, bias=False, device="meta")
            plain.weight = torch.nn.Parameter(float_weight(layer), requires_grad=False)
            plain.bias = layer.bias
            model.set_submodule(name, plain)
    model.hf_quantizer, model.is_quantized = None, False
    model.is_loaded_in_4bit = model.is_loaded_in_8bit = False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    return model


def adapted_weights(model) -> dict[str, Tensor]:
    """Returns name in the base → W (out × in) in float32, of every linear layer that a PEFT model adapts."""
    return {
        f"{name.removeprefix('base_model.model.')}.weight": float_weight(layer.base_layer).clone()
        for name, layer in model.named_modules()
        if hasattr(layer, "base_layer")
    }
