"""Adds an adapter into the weights of its base, in float32, dequantised first where bitsandbytes holds them."""

from pathlib import Path

from tinyreason.adapters._adapter import with_adapter
from tinyreason.adapters._fit import PREFIX, read_adapter_config
from tinyreason.adapters._low_rank import bare_layer
from tinyreason.adapters._svd import float_weight
from tinyreason.errors import ModelError
from tinyreason.tensors import Tensor


def merge_adapter(model, folder: Path):
    """Returns the base of a PEFT model in float32 with the adapter of the folder added in; `model` is used up.

    A base in 4 or 8 bits is dequantised first: what is added to its own weights would be rounded away.
    """
    if is_quantized(model):
        model = with_adapter(dequantize(model.unload()), folder)
    if has_biases(model):
        give_biases(model.get_base_model())
    return model.float().merge_and_unload()


def adds_biases(folder: Path) -> bool:
    """Returns whether the adapter of a folder is a LoRA that adds biases."""
    return bool(read_adapter_config(str(folder), folder).get("lora_bias"))


def has_biases(model) -> bool:
    """Returns whether the LoRA on a model adds biases."""
    return any(getattr(config, "lora_bias", False) for config in model.peft_config.values())


def give_biases(base) -> None:
    """Gives the attention of a base without biases biases of 0. Errors: `ModelError` where its family has none."""
    import torch
    from transformers import AutoModelForCausalLM

    base.config.attention_bias = True
    with torch.device("meta"):
        names = AutoModelForCausalLM.from_config(base.config).state_dict()
    layers = {name: bare_layer(layer) for name, layer in base.named_modules() if name.endswith("_proj")}
    lacking = {name: layer for name, layer in layers.items() if layer.bias is None and f"{name}.bias" in names}
    if not any(name.endswith("o_proj") for name in lacking):
        raise ModelError(
            f"a {base.config.model_type} model has no bias behind its attention, so this adapter cannot be merged; "
            f"eval and chat take the adapter as it is."
        )
    for layer in lacking.values():
        layer.bias = torch.nn.Parameter(layer.weight.new_zeros(layer.out_features), requires_grad=False)


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
    """Returns name in the base → W (out × in) in float32, of every linear layer that a PEFT model adapts.

    Where the adapter adds biases, they are there too.
    """
    layers = {
        name.removeprefix(PREFIX): layer.base_layer
        for name, layer in model.named_modules()
        if hasattr(layer, "base_layer")
    }
    found = {f"{name}.weight": float_weight(layer).clone() for name, layer in layers.items()}
    if has_biases(model):
        zero = {name: layer.weight.new_zeros(layer.out_features) for name, layer in layers.items()}
        found |= {
            f"{name}.bias": zero[name] if layer.bias is None else layer.bias.detach().float().clone()
            for name, layer in layers.items()
        }
    return found
