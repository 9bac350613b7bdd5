"""Writes an edit as a LoRA folder, one with the LoRA that the model has already, where it has one."""

from pathlib import Path

from tinyreason.adapters._adapter import lora_factors
from tinyreason.adapters._fit import PREFIX
from tinyreason.adapters.edits._edit import LayerChange
from tinyreason.adapters.edits._states import attention_layers
from tinyreason.tensors import Tensor

Factors = tuple[Tensor, Tensor]


def write_change(model, change: LayerChange, folder: Path, base: str) -> int:
    """Writes a LoRA folder, which any PEFT user can load on `base`, the model's name; returns its rank.

    Every layer has the same rank and a scale of 1, so that whoever reads plain LoRA adapters reads it.
    """
    import torch
    from peft import LoraConfig
    from safetensors.torch import save_file

    names = _output_names(model)
    parts: dict[str, list[Factors]] = {name: [pair] for name, pair in _present(model).items()}
    for layer, pair in change.factors.items():
        parts.setdefault(names[layer], []).append(pair)
    biases = {names[layer]: bias for layer, bias in change.biases.items()}
    for name, bias in biases.items():
        columns = attention_layers(model)[names.index(name)].self_attn.o_proj.in_features
        parts.setdefault(name, [(torch.zeros(1, columns), torch.zeros(len(bias), 1))])
    joined = {name: _joined(pairs) for name, pairs in parts.items()}
    rank = max(len(inner) for inner, _ in joined.values())
    tensors = {}
    for name, (inner, outer) in joined.items():
        missing = rank - len(inner)
        tensors[f"{PREFIX}{name}.lora_A.weight"] = torch.cat([inner, inner.new_zeros(missing, inner.shape[1])])
        tensors[f"{PREFIX}{name}.lora_B.weight"] = torch.cat([outer, outer.new_zeros(len(outer), missing)], dim=1)
        if biases:
            tensors[f"{PREFIX}{name}.lora_B.bias"] = biases.get(name, torch.zeros(len(outer)))
    config = LoraConfig(
        r=rank,
        lora_alpha=rank,
        lora_bias=bool(biases),
        target_modules=sorted(joined),
        task_type="CAUSAL_LM",
        base_model_name_or_path=base,
        inference_mode=True,
    )
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(str(folder))
    file = folder / "adapter_model.safetensors"
    save_file({name: tensor.float().cpu().contiguous() for name, tensor in tensors.items()}, file)
    return rank


def _output_names(model) -> list[str]:
    """Returns the name in the base of each layer's o_proj."""
    base = model.get_base_model() if hasattr(model, "peft_config") else model
    names = {id(module): name for name, module in base.named_modules()}
    return [names[id(layer.self_attn.o_proj)] for layer in attention_layers(model)]


def _present(model) -> dict[str, Factors]:
    """Returns layer name → (A, scale · B) of the LoRA that the model has."""
    layers = dict(model.named_modules())
    return {
        name.removeprefix(PREFIX): (inner.float(), layers[name].scaling["default"] * outer.float())
        for name, (inner, outer) in lora_factors(model, "default").items()
    }


def _joined(pairs: list[Factors]) -> Factors:
    """Returns the factors of the sum."""
    import torch

    device = pairs[0][0].device
    inner, outer = ([pair[side].to(device) for pair in pairs] for side in (0, 1))
    return torch.cat(inner), torch.cat(outer, dim=1)
